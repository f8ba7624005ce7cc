package demodata

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"strconv"
	"time"
)

// The bounds that a value must lie in to be believed: a little beyond the
// records of the United States.
const (
	precipitationMax = 1100 // millimetres a day
	tempLowest       = -65  // degrees Celsius
	tempHighest      = 60
	windMax          = 110 // metres a second
)

var columns = []string{"location", "date", "precipitation", "temp_max", "temp_min", "wind", "weather"}

// ParseError says which field of which line was refused, and why.
type ParseError struct {
	Line   int    // counted from 1, the header's
	Field  string // a column's name, or empty when the line as a whole is malformed
	Reason string
}

func (e *ParseError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Reason)
	}
	return fmt.Sprintf("line %d, %s: %s", e.Line, e.Field, e.Reason)
}

// Parse streams the rows of a file in the form of the embedded one: a header,
// then the cities one after the other, each by date. It reads no further than
// the caller asks, and ends at the first row that is malformed or out of
// order, which it yields as a [*ParseError]; an error of the reader itself is
// yielded as it is. A file with a header alone is empty, not malformed.
func Parse(r io.Reader) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		in := csv.NewReader(r)
		in.ReuseRecord = true
		in.FieldsPerRecord = len(columns)
		if err := readHeader(in); err != nil {
			yield(Row{}, err)
			return
		}
		order := ordering{done: make(map[string]bool)}
		for {
			row, err := readRow(in, &order)
			if err == io.EOF {
				return
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

func readHeader(in *csv.Reader) error {
	header, err := in.Read()
	if err == io.EOF {
		return &ParseError{Line: 1, Reason: "header missing: the file is empty"}
	}
	if err != nil {
		return csvError(err)
	}
	if !slices.Equal(header, columns) {
		return &ParseError{Line: 1, Reason: fmt.Sprintf("header is %q, want %q", header, columns)}
	}
	return nil
}

func readRow(in *csv.Reader, order *ordering) (Row, error) {
	fields, err := in.Read()
	if err == io.EOF {
		return Row{}, err
	}
	if err != nil {
		return Row{}, csvError(err)
	}
	line, _ := in.FieldPos(0)
	d := decoder{fields: fields, line: line}
	row := Row{
		City:          d.city(0),
		Date:          d.date(1),
		Precipitation: d.number(2, 0, precipitationMax),
		TempMax:       d.number(3, tempLowest, tempHighest),
		TempMin:       d.number(4, tempLowest, tempHighest),
		Wind:          d.number(5, 0, windMax),
		Weather:       d.weather(6),
	}
	if d.err == nil && row.TempMin > row.TempMax {
		d.refuse(4, fmt.Sprintf("%v is above temp_max, %v", row.TempMin, row.TempMax))
	}
	if d.err == nil {
		if reason := order.admit(row); reason != "" {
			d.refuse(1, reason)
		}
	}
	if d.err != nil {
		return Row{}, d.err
	}
	return row, nil
}

// ordering remembers what must not come again: the cities read to their end,
// and the days up to the last row.
type ordering struct {
	last Row
	done map[string]bool
}

// admit returns why the row may not stand here, or nothing.
func (o *ordering) admit(row Row) string {
	switch {
	case o.done[row.City]:
		return fmt.Sprintf("rows of %q are in two places, rows of %q between them", row.City, o.last.City)
	case row.City != o.last.City:
		o.done[o.last.City] = true
	case !row.Date.After(o.last.Date):
		return fmt.Sprintf("%s does not come after %s", row.Date.Format(dateLayout), o.last.Date.Format(dateLayout))
	}
	o.last = row
	return ""
}

// decoder reads the fields of one line and keeps the first refusal.
type decoder struct {
	fields []string
	line   int
	err    error
}

func (d *decoder) refuse(column int, reason string) {
	if d.err == nil {
		d.err = &ParseError{Line: d.line, Field: columns[column], Reason: reason}
	}
}

func (d *decoder) city(column int) string {
	city := d.fields[column]
	if city == "" {
		d.refuse(column, "empty")
	}
	return city
}

func (d *decoder) date(column int) time.Time {
	date, err := time.Parse(dateLayout, d.fields[column])
	if err != nil {
		d.refuse(column, fmt.Sprintf("%q is no date of the form YYYY-MM-DD", d.fields[column]))
	}
	return date
}

func (d *decoder) number(column int, low, high float64) float64 {
	value, err := strconv.ParseFloat(d.fields[column], 64)
	if err != nil || math.IsNaN(value) {
		d.refuse(column, fmt.Sprintf("%q is no number", d.fields[column]))
	} else if value < low || value > high {
		d.refuse(column, fmt.Sprintf("%v is not between %v and %v", value, low, high))
	}
	return value
}

func (d *decoder) weather(column int) Weather {
	weather := Weather(d.fields[column])
	switch weather {
	case Drizzle, Fog, Rain, Snow, Sun:
	default:
		d.refuse(column, fmt.Sprintf("%q is none of drizzle, fog, rain, snow, sun", weather))
	}
	return weather
}

func csvError(err error) error {
	var malformed *csv.ParseError
	if errors.As(err, &malformed) {
		return &ParseError{Line: malformed.Line, Reason: malformed.Err.Error()}
	}
	return fmt.Errorf("read weather: %w", err)
}
