//go:build !race

package storetest

const (
	opsDefault       = 20_000
	historiesDefault = 200
)
