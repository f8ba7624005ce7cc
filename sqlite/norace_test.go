//go:build !race

package sqlite

// damagedCopies is how many damaged files are tried.
const damagedCopies = 200
