package config

import (
	"fmt"
	"io"
	"strings"
)

// Print writes the configuration as a file would have it, each value with where it comes from, without secrets.
func (c *Config) Print(w io.Writer) error {
	var b strings.Builder
	var open []string
	for _, k := range c.keys {
		path := strings.Split(k.Path, ".")
		shared := 0
		for shared < len(open) && shared < len(path)-1 && open[shared] == path[shared] {
			shared++
		}
		for depth := shared; depth < len(path)-1; depth++ {
			fmt.Fprintf(&b, "%s%s:\n", strings.Repeat("  ", depth), path[depth])
		}
		open = path[:len(path)-1]
		k.print(&b, strings.Repeat("  ", len(path)-1), path[len(path)-1])
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (k *key) print(b *strings.Builder, indent, name string) {
	origin := k.origin
	if origin == "" {
		origin = "default"
	}
	entries := k.show()
	value := ""
	switch {
	case k.shape == scalar:
		value = " " + entries[0].text
	case len(entries) == 0 && k.shape == list:
		value = " []"
	case len(entries) == 0:
		value = " {}"
	}
	fmt.Fprintf(b, "%s%s:%s # %s\n", indent, name, value, origin)
	if k.shape == scalar {
		return
	}
	for _, e := range entries {
		if k.shape == list {
			fmt.Fprintf(b, "%s  - %s\n", indent, e.text)
		} else {
			fmt.Fprintf(b, "%s  %s: %s\n", indent, quoted(e.name), e.text)
		}
	}
}
