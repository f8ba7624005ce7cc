// Package demodata is the real data that the demonstration works on: the
// daily weather of Seattle and New York, 2012 to 2015, as NOAA observed it.
//
// It holds 2,922 rows, one a city and day with none missing, so that they fall
// into 96 parts of 28 to 31 rows: one a city and month. [Parts] lists them and
// [Rows] streams one, every row checked; the README beside this file names the
// source, the licence and the checksum.
package demodata
