package demodata

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

func TestShippedFileIsTheOneTheReadmeNames(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, Open()); err != nil {
		t.Fatal(err)
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); !strings.Contains(string(readme), sum) {
		t.Errorf("README.md does not name the checksum of weather.csv, %s", sum)
	}
}

func TestPartsCoverEveryDayOfEveryMonth(t *testing.T) {
	t.Parallel()
	parts, err := Parts()
	if err != nil {
		t.Fatal(err)
	}
	if len(parts) != 2*48 {
		t.Fatalf("%d parts, want 96", len(parts))
	}
	if first, last := parts[0].String(), parts[95].String(); first != "Seattle 2012-01" || last != "New York 2015-12" {
		t.Errorf("parts run from %q to %q", first, last)
	}
	total := 0
	for _, part := range parts {
		first, err := time.Parse(monthLayout, part.Month)
		if err != nil {
			t.Fatal(err)
		}
		want := first
		for row, err := range Rows(part) {
			if err != nil {
				t.Fatal(err)
			}
			if row.City != part.City || !row.Date.Equal(want) {
				t.Fatalf("%v: row of %s, %s, want %s", part, row.City, row.Date, want)
			}
			want = want.AddDate(0, 0, 1)
			total++
		}
		if !want.Equal(first.AddDate(0, 1, 0)) {
			t.Errorf("%v ends before %s", part, want.Format(dateLayout))
		}
	}
	if total != 2922 {
		t.Errorf("%d rows, want 2922", total)
	}
}

func TestPartsAreTheCallersOwn(t *testing.T) {
	t.Parallel()
	mine, err := Parts()
	if err != nil {
		t.Fatal(err)
	}
	mine[0].City = "Atlantis"
	theirs, err := Parts()
	if err != nil {
		t.Fatal(err)
	}
	if theirs[0].City != "Seattle" {
		t.Errorf("a caller's change reached another caller: %v", theirs[0])
	}
}

func TestMonthsAreEachNamedOnce(t *testing.T) {
	t.Parallel()
	months, err := Months()
	if err != nil {
		t.Fatal(err)
	}
	if len(months) != 48 || months[0] != "2012-01" || months[47] != "2015-12" {
		t.Errorf("months are %v", months)
	}
}

func TestRowsCarryTheValuesOfTheFile(t *testing.T) {
	t.Parallel()
	want := Row{
		City: "New York", Date: time.Date(2012, 10, 29, 0, 0, 0, 0, time.UTC),
		Precipitation: 13, TempMax: 18.9, TempMin: 11.1, Wind: 16.2, Weather: Rain,
	}
	for row, err := range Rows(Part{City: "New York", Month: "2012-10"}) {
		if err != nil {
			t.Fatal(err)
		}
		if row.Date.Equal(want.Date) {
			if row != want {
				t.Errorf("got %+v, want %+v", row, want)
			}
			return
		}
	}
	t.Errorf("no row for %s", want.Date)
}

func TestRowsOfAnUnknownPartAreAnError(t *testing.T) {
	t.Parallel()
	for _, part := range []Part{{"Atlantis", "2012-01"}, {"Seattle", "2016-01"}, {"Seattle", "January"}, {}} {
		rows, failures := 0, 0
		for _, err := range Rows(part) {
			if err != nil {
				failures++
			} else {
				rows++
			}
		}
		if rows != 0 || failures != 1 {
			t.Errorf("%q: %d rows and %d errors, want one error", part, rows, failures)
		}
	}
}

func TestRowsMayBeLeftEarly(t *testing.T) {
	t.Parallel()
	for row, err := range Rows(Part{City: "Seattle", Month: "2012-01"}) {
		if err != nil || row.Date.Day() != 1 {
			t.Errorf("first row is %v, %v", row, err)
		}
		break
	}
}
