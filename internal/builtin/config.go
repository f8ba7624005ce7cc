package builtin

import (
	"net/netip"
	"net/url"
	"time"
)

// HTTPConfig says what the task http may do. Every field has to be given; internal/config does, and keeps the bounds.
type HTTPConfig struct {
	AllowPrivate     []netip.Prefix // that may be reached although they are not public
	ResponseBytesMax int            // of a response's body; the rest is cut off
	TimeoutMax       time.Duration  // that a job may ask for
	RedirectsMax     int            // followed in a row; 0 follows none
	Proxy            *url.URL       // that all requests go through; nil: none
	UserAgent        string         // of requests that name none
}

// HTTPTimeoutMax bounds what HTTPConfig.TimeoutMax may be.
const HTTPTimeoutMax = time.Hour

// ExecConfig says what the task exec may run. Every field but those of the environment has to be given; internal/config does.
type ExecConfig struct {
	Allow          []Program
	Dir            string            // that programs run in; empty: an empty one for each run, removed after it
	PassEnv        []string          // variables that programs inherit from the server
	Env            map[string]string // variables that programs get
	AllowEnv       []string          // variables that a job may set; a name, or the beginning of one and "*"
	OutputBytesMax int               // kept of the standard output, and of the standard error; of more, the end
	KillGrace      time.Duration     // between asking a program to end and killing it
	LogStderr      bool              // lines of the standard error become log lines of the job
}

// Program is a program that jobs may run.
type Program struct {
	Name string // as the configuration has it
	Path string // the file that it was when the process started
}
