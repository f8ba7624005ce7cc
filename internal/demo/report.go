package demo

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/godwit-go/godwit/internal/demodata"
)

// Month is what a child finds out.
type Month struct {
	Part  demodata.Part `json:"part"`
	Stats Stats         `json:"stats"`
}

// Year is a line of the report.
type Year struct {
	City  string `json:"city"`
	Year  string `json:"year"`
	Stats Stats  `json:"stats"`
}

// Report is the result of the parent.
type Report struct {
	Parts int    `json:"parts"`
	Years []Year `json:"years"` // by city, then year
	Path  string `json:"path"`  // of the file that was written
}

// byYear combines months, in whatever order they come, into years by city and year.
func byYear(months []Month) []Year {
	slices.SortFunc(months, func(a, b Month) int {
		return cmp.Or(cmp.Compare(a.Part.City, b.Part.City), cmp.Compare(a.Part.Month, b.Part.Month))
	})
	var years []Year
	for _, m := range months {
		year, _, _ := strings.Cut(m.Part.Month, "-")
		if n := len(years); n == 0 || years[n-1].City != m.Part.City || years[n-1].Year != year {
			years = append(years, Year{City: m.Part.City, Year: year})
		}
		last := &years[len(years)-1]
		last.Stats = last.Stats.Add(m.Stats)
	}
	return years
}

// Columns heads the cells that [Year.Cells] gives.
var Columns = []string{"city", "year", "days", "mean °C", "± °C", "hottest", "coldest", "rain mm", "wet days", "wettest", "wind m/s"}

// Cells gives the year as a row of a table.
func (y Year) Cells() []string {
	s := y.Stats
	day := func(d Day, unit string) string {
		return fmt.Sprintf("%.1f %s on %s", d.Value, unit, d.Date.Format("2 Jan"))
	}
	return []string{
		y.City, y.Year, fmt.Sprint(s.Days), fmt.Sprintf("%.1f", s.TempMean()), fmt.Sprintf("%.1f", s.TempDeviation()),
		day(s.Hottest, "°C"), day(s.Coldest, "°C"), fmt.Sprintf("%.0f", s.RainSum), fmt.Sprint(s.WetDays),
		day(s.Wettest, "mm"), fmt.Sprintf("%.1f", s.WindMean()),
	}
}

// ColumnsShort heads the cells that [Year.CellsShort] gives.
var ColumnsShort = []string{"city", "year", "mean °C", "hottest °C", "coldest °C", "rain mm"}

// CellsShort gives the year as a row of a table that fits a terminal.
func (y Year) CellsShort() []string {
	s := y.Stats
	day := func(d Day) string { return fmt.Sprintf("%.1f on %6s", d.Value, d.Date.Format("2 Jan")) }
	return []string{
		y.City, y.Year, fmt.Sprintf("%.1f", s.TempMean()), day(s.Hottest), day(s.Coldest), fmt.Sprintf("%.0f", s.RainSum),
	}
}

// CheckPath says why no report can be written to a path, or nothing appended to the ledger that goes with it. It tries, and leaves nothing.
func CheckPath(path string) error {
	for _, name := range []string{path, LedgerOf(path)} {
		if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
			return &fs.PathError{Op: "write", Path: name, Err: errors.New("is there, and is no regular file")}
		}
	}
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	err = errors.Join(temp.Close(), os.Remove(temp.Name()))
	ledger, openErr := os.OpenFile(LedgerOf(path), os.O_APPEND|os.O_WRONLY, 0)
	switch {
	case errors.Is(openErr, fs.ErrNotExist): // it is made when it is needed
	case openErr != nil:
		return openErr
	default:
		err = errors.Join(err, ledger.Close())
	}
	return err
}

// write puts the report into a Markdown file: whole or not at all, and the same however often it is written.
func write(path string, years []Year) error {
	var b strings.Builder
	b.WriteString("# Weather in two cities\n\nDaily observations of NOAA, a year a line.\n\n")
	row := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	row(Columns)
	row(slices.Repeat([]string{"---"}, len(Columns)))
	for _, y := range years {
		row(y.Cells())
	}
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	defer os.Remove(temp.Name()) //nolint:errcheck // gone already after the rename
	_, err = temp.WriteString(b.String())
	if err == nil {
		err = temp.Sync()
	}
	if closeErr := temp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Chmod(temp.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
