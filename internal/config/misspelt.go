package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/godwit-go/godwit/internal/suggest"
)

// nearVariable is how many letters a variable may be off to be told. The environment has variables of others that begin with
// GODWIT_ too, such as those that Kubernetes makes for a service of that name, so only what is near counts.
const nearVariable = 2

// Misspelt gives a line for each variable of an environment, as os.Environ has it, that is almost one of ours and therefore does
// nothing.
func Misspelt(environ []string) []string {
	known := []string{"GODWIT_CONFIG", "GODWIT_SERVER", "GODWIT_TOKEN"}
	for _, k := range keysOf(&Config{}) {
		known = append(known, k.Env())
	}
	var lines []string
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, "GODWIT") || slices.Contains(known, name) {
			continue
		}
		near := func(k string) bool { return suggest.Distance(name, k, nearVariable+1) <= nearVariable }
		if i := slices.IndexFunc(known, near); i >= 0 {
			lines = append(lines, fmt.Sprintf("%s does nothing (did you mean %s?)", name, known[i]))
		}
	}
	return lines
}
