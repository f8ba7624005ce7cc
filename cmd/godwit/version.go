package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// versionForm is what the program says of itself, in JSON.
type versionForm struct {
	Version string `json:"version"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
	Go      string `json:"go"`
}

func newVersion() *cobra.Command {
	f := &clientFlags{}
	cmd := &cobra.Command{Use: "version", Short: "Print the version", Args: noArgs}
	f.bindOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.check(); err != nil {
			return err
		}
		v := versionForm{version(), runtime.GOOS, runtime.GOARCH, runtime.Version()}
		p := newPrinter(cmd, f.output)
		if p.json {
			return p.object(v)
		}
		_, err := fmt.Fprintln(p.out, aboutProgram())
		return err
	}
	return cmd
}

// aboutProgram is the version as people read it.
func aboutProgram() string {
	return fmt.Sprintf("godwit %s %s/%s %s", version(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// version is the module's version as the build recorded it, "(devel)" from a checkout.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
