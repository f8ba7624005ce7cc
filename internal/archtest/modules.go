package archtest

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// LinkedModules returns the modules, this one aside, whose code a program links
// when it imports the given packages of the module in folder dir.
func LinkedModules(ctx context.Context, dir string, packages ...string) ([]string, error) {
	args := append([]string{"list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}"}, packages...)
	list := exec.CommandContext(ctx, "go", args...)
	list.Dir = dir
	var stderr strings.Builder
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w: %s", strings.Join(packages, " "), err, stderr.String())
	}
	modules := strings.Fields(string(out))
	slices.Sort(modules)
	return slices.Compact(modules), nil
}
