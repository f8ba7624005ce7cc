package demo

import (
	"math"
	"testing"

	"github.com/godwit-go/godwit/internal/demodata"
)

func TestYearsFromMonthsAreYearsFromDays(t *testing.T) {
	t.Parallel()
	parts, err := demodata.Parts()
	if err != nil {
		t.Fatal(err)
	}
	var months []Month
	for i := len(parts) - 1; i >= 0; i-- { // in the wrong order, on purpose
		s, err := Summarise(demodata.Rows(parts[i]))
		if err != nil {
			t.Fatal(err)
		}
		months = append(months, Month{parts[i], s})
	}
	years := byYear(months)
	if len(years) != 8 {
		t.Fatalf("%d years, want 8: two cities, four years", len(years))
	}
	// Straight from the file, a day at a time, by other code than the one under test.
	type sums struct{ days, temp, rain, wet, hottest float64 }
	want := map[string]sums{}
	for row, err := range demodata.Parse(demodata.Open()) {
		if err != nil {
			t.Fatal(err)
		}
		k := row.City + row.Date.Format("2006")
		w, seen := want[k]
		w.days++
		w.temp += (row.TempMax + row.TempMin) / 2
		w.rain += row.Precipitation
		if row.Precipitation >= 1 {
			w.wet++
		}
		if !seen || row.TempMax > w.hottest {
			w.hottest = row.TempMax
		}
		want[k] = w
	}
	for _, y := range years {
		w := want[y.City+y.Year]
		near := func(a, b float64) bool { return math.Abs(a-b) < 1e-6 }
		s := y.Stats
		if float64(s.Days) != w.days || !near(s.TempSum, w.temp) || !near(s.RainSum, w.rain) ||
			float64(s.WetDays) != w.wet || s.Hottest.Value != w.hottest {
			t.Errorf("%s %s: got %+v, want %+v", y.City, y.Year, s, w)
		}
	}
}
