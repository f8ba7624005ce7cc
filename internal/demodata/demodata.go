package demodata

import (
	_ "embed"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"
	"time"
)

//go:embed weather.csv
var weatherCSV string

// Part names the rows of one city in one calendar month.
type Part struct {
	City  string `json:"city"`  // as in the data: "Seattle", "New York"
	Month string `json:"month"` // "2012-01"
}

// String returns the part's name, unique among parts: "Seattle 2012-01".
func (p Part) String() string { return p.City + " " + p.Month }

// Row is one day's weather in one city.
type Row struct {
	City          string
	Date          time.Time // midnight, UTC
	Precipitation float64   // millimetres
	TempMax       float64   // degrees Celsius
	TempMin       float64   // degrees Celsius
	Wind          float64   // the day's average speed, metres a second
	Weather       Weather
}

// Part returns the part that the row belongs to.
func (r Row) Part() Part { return Part{City: r.City, Month: r.Date.Format(monthLayout)} }

// Weather is the kind of weather that stood out on a day.
type Weather string

// The kinds of weather in the data.
const (
	Drizzle Weather = "drizzle"
	Fog     Weather = "fog"
	Rain    Weather = "rain"
	Snow    Weather = "snow"
	Sun     Weather = "sun"
)

const (
	dateLayout  = "2006-01-02"
	monthLayout = "2006-01"
)

// Open returns the embedded file as it was shipped.
func Open() io.Reader { return strings.NewReader(weatherCSV) }

// Parts returns every part in the file's order: by city, then by month. The
// slice is the caller's own.
func Parts() ([]Part, error) {
	parts, err := parts()
	return append([]Part(nil), parts...), err
}

var parts = sync.OnceValues(func() ([]Part, error) { return partsOf(Parse(Open())) })

func partsOf(rows iter.Seq2[Row, error]) ([]Part, error) {
	var found []Part
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		if part := row.Part(); len(found) == 0 || found[len(found)-1] != part {
			found = append(found, part)
		}
	}
	return found, nil
}

// Months returns the months covered, each once, the earliest first: "2012-01"
// to "2015-12".
func Months() ([]string, error) {
	all, err := parts()
	if err != nil {
		return nil, err
	}
	var months []string
	for _, part := range all {
		if part.City == all[0].City {
			months = append(months, part.Month)
		}
	}
	return months, nil
}

// Rows streams the rows of one part by date. It stops at the first malformed
// row, which it yields as an error; a part that is not in the data is an error
// too, so that a misspelt city is not an empty month.
func Rows(part Part) iter.Seq2[Row, error] { return rowsOf(Parse(Open()), part) }

func rowsOf(rows iter.Seq2[Row, error], part Part) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		found := false
		for row, err := range rows {
			if err != nil {
				yield(Row{}, err)
				return
			}
			if row.Part() != part {
				if found {
					return // parts are contiguous: Parse refuses rows out of order
				}
				continue
			}
			found = true
			if !yield(row, nil) {
				return
			}
		}
		if !found {
			yield(Row{}, fmt.Errorf("no rows for city %q, month %q (Parts lists what there is)", part.City, part.Month))
		}
	}
}
