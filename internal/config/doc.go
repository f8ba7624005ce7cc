// Package config reads the configuration of the binary: a file in YAML, the environment and flags become one checked [Config]. All keys
// stand in one table (keys.go), from which the documentation is held equal, and every fault is reported with its place.
package config
