package demo

import (
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/godwit-go/godwit/internal/demodata"
)

// Day is a value and the day it was measured.
type Day struct {
	Date  time.Time `json:"date"`
	Value float64   `json:"value"`
}

// Stats sums up the weather of some days in one city. Two of them combine exactly: that of a year from those of its months.
// Temperatures are in degrees Celsius, precipitation in millimetres, wind in metres a second.
type Stats struct {
	Days      int     `json:"days"`
	TempSum   float64 `json:"temp_sum"`    // of the days' means of maximum and minimum
	TempSqSum float64 `json:"temp_sq_sum"` // of their squares
	Hottest   Day     `json:"hottest"`
	Coldest   Day     `json:"coldest"`
	RainSum   float64 `json:"rain_sum"`
	WetDays   int     `json:"wet_days"` // with at least WetDayMin of precipitation
	Wettest   Day     `json:"wettest"`
	WindSum   float64 `json:"wind_sum"`
}

// WetDayMin is the precipitation in millimetres from which a day counts as wet, as the World Meteorological Organization counts.
const WetDayMin = 1.0

// Summarise reads days of one city. An error of the source is returned with what was read before it dropped.
func Summarise(rows iter.Seq2[demodata.Row, error]) (Stats, error) {
	var s Stats
	for row, err := range rows {
		if err != nil {
			return Stats{}, fmt.Errorf("read weather: %w", err)
		}
		mean := (row.TempMax + row.TempMin) / 2
		day := Stats{
			Days: 1, TempSum: mean, TempSqSum: mean * mean, RainSum: row.Precipitation, WindSum: row.Wind,
			Hottest: Day{row.Date, row.TempMax}, Coldest: Day{row.Date, row.TempMin}, Wettest: Day{row.Date, row.Precipitation},
		}
		if row.Precipitation >= WetDayMin {
			day.WetDays = 1
		}
		s = s.Add(day)
	}
	return s, nil
}

// Add combines two summaries of different days; the earlier day wins a tie.
func (s Stats) Add(t Stats) Stats {
	if s.Days == 0 {
		return t
	}
	if t.Days == 0 {
		return s
	}
	s.Days += t.Days
	s.TempSum += t.TempSum
	s.TempSqSum += t.TempSqSum
	s.RainSum += t.RainSum
	s.WetDays += t.WetDays
	s.WindSum += t.WindSum
	if t.Hottest.Value > s.Hottest.Value {
		s.Hottest = t.Hottest
	}
	if t.Coldest.Value < s.Coldest.Value {
		s.Coldest = t.Coldest
	}
	if t.Wettest.Value > s.Wettest.Value {
		s.Wettest = t.Wettest
	}
	return s
}

// TempMean is the mean temperature; 0 without days.
func (s Stats) TempMean() float64 { return s.TempSum / float64(max(s.Days, 1)) }

// TempDeviation is the standard deviation of the days' mean temperatures.
func (s Stats) TempDeviation() float64 {
	mean := s.TempMean()
	return math.Sqrt(max(s.TempSqSum/float64(max(s.Days, 1))-mean*mean, 0))
}

// WindMean is the mean wind; 0 without days.
func (s Stats) WindMean() float64 { return s.WindSum / float64(max(s.Days, 1)) }
