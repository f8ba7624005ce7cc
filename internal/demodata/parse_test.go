package demodata

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

const (
	header  = "location,date,precipitation,temp_max,temp_min,wind,weather\n"
	goodRow = "Seattle,2012-01-01,0.0,12.8,5.0,4.7,drizzle\n"
)

// collect reads all there is, and checks that nothing follows an error.
func collect(t *testing.T, in io.Reader) ([]Row, error) {
	t.Helper()
	var rows []Row
	var failed error
	for row, err := range Parse(in) {
		if failed != nil {
			t.Fatalf("yielded %v, %v after the error %v", row, err, failed)
		}
		if failed = err; err == nil {
			rows = append(rows, row)
		}
	}
	return rows, failed
}

func TestParseRefusesMalformedInput(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ in, want string }{
		"empty file":             {"", "line 1: header missing"},
		"another header":         {strings.Replace(header, "wind", "gust", 1), "line 1: header is"},
		"header too short":       {"location,date\n", "line 1: wrong number of fields"},
		"row too short":          {header + "Seattle,2012-01-01\n", "line 2: wrong number of fields"},
		"row too long":           {header + strings.TrimSpace(goodRow) + ",extra\n", "line 2: wrong number of fields"},
		"open quote":             {header + "\"Seattle,2012-01-01,0,1,0,1,sun\n", "quote"},
		"no city":                {header + ",2012-01-01,0.0,12.8,5.0,4.7,sun\n", "line 2, location: empty"},
		"date in another form":   {header + "Seattle,01/02/2012,0.0,12.8,5.0,4.7,sun\n", "line 2, date: \"01/02/2012\" is no date"},
		"day that is none":       {header + "Seattle,2013-02-29,0.0,12.8,5.0,4.7,sun\n", "line 2, date:"},
		"rain as a word":         {header + "Seattle,2012-01-01,much,12.8,5.0,4.7,sun\n", "line 2, precipitation: \"much\" is no number"},
		"rain below nothing":     {header + "Seattle,2012-01-01,-0.1,12.8,5.0,4.7,sun\n", "line 2, precipitation: -0.1 is not between 0 and 1100"},
		"no temperature":         {header + "Seattle,2012-01-01,0.0,,5.0,4.7,sun\n", "line 2, temp_max: \"\" is no number"},
		"temperature not number": {header + "Seattle,2012-01-01,0.0,NaN,5.0,4.7,sun\n", "line 2, temp_max: \"NaN\" is no number"},
		"missing as 9999":        {header + "Seattle,2012-01-01,0.0,12.8,-9999,4.7,sun\n", "line 2, temp_min: -9999 is not between"},
		"colder than coldest":    {header + "Seattle,2012-01-01,0.0,5.0,12.8,4.7,sun\n", "line 2, temp_min: 12.8 is above temp_max, 5"},
		"endless wind":           {header + "Seattle,2012-01-01,0.0,12.8,5.0,+Inf,sun\n", "line 2, wind: +Inf is not between"},
		"unknown weather":        {header + "Seattle,2012-01-01,0.0,12.8,5.0,4.7,hail\n", "line 2, weather: \"hail\" is none of"},
		"same day twice":         {header + goodRow + goodRow, "line 3, date: 2012-01-01 does not come after 2012-01-01"},
		"day before":             {header + goodRow + strings.Replace(goodRow, "2012-01-01", "2011-12-31", 1), "line 3, date:"},
		"city in two places": {
			header + goodRow + strings.Replace(goodRow, "Seattle", "Oslo", 1) + strings.Replace(goodRow, "01-01", "01-02", 1),
			"line 4, date: rows of \"Seattle\" are in two places",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := collect(t, strings.NewReader(c.in))
			var refused *ParseError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a ParseError with %q", err, c.want)
			}
		})
	}
}

func TestParseYieldsTheRowsBeforeAMalformedOne(t *testing.T) {
	t.Parallel()
	rows, err := collect(t, strings.NewReader(header+goodRow+"Seattle,2012-01-02,x,1,0,1,sun\n"))
	if len(rows) != 1 || err == nil {
		t.Errorf("%d rows and error %v, want one row, then an error", len(rows), err)
	}
}

func TestParseOfAHeaderAloneIsEmpty(t *testing.T) {
	t.Parallel()
	if rows, err := collect(t, strings.NewReader(header)); len(rows) != 0 || err != nil {
		t.Errorf("got %v, %v", rows, err)
	}
}

func TestParseHandsOnTheErrorOfTheReader(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk on fire")
	_, err := collect(t, io.MultiReader(strings.NewReader(header+goodRow), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

func TestPartsAndRowsOfAMalformedFileAreTheError(t *testing.T) {
	t.Parallel()
	in := header + goodRow + "Seattle,tomorrow,0,1,0,1,sun\n"
	if _, err := partsOf(Parse(strings.NewReader(in))); err == nil {
		t.Error("partsOf returned no error")
	}
	var failed error
	for _, err := range rowsOf(Parse(strings.NewReader(in)), Part{City: "Seattle", Month: "2012-01"}) {
		failed = err
	}
	if failed == nil {
		t.Error("rowsOf returned no error")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(header + goodRow)
	f.Add(header + "Seattle,2012-01-01,0.0,12.8,-9999,4.7,sun\n")
	f.Add("\"")
	f.Fuzz(func(t *testing.T, in string) {
		rows, _ := collect(t, strings.NewReader(in))
		for _, row := range rows {
			if row.City == "" || row.TempMin > row.TempMax || row.Precipitation < 0 {
				t.Errorf("accepted %+v", row)
			}
		}
	})
}
