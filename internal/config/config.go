package config

import (
	"strconv"
	"time"

	"github.com/godwit-go/godwit/internal/builtin"
)

// Config is a configuration in effect, complete and checked.
type Config struct {
	DB             string
	Listen         string
	InsecureListen bool
	Hosts          []string // what the API is called, as httpapi.Config has it

	Queues        map[string]int // concurrency by name
	Lease         time.Duration
	StopGrace     time.Duration
	HardGrace     time.Duration
	PollInterval  time.Duration
	PruneInterval time.Duration

	Log      Log
	HTTP     HTTP
	Tasks    Tasks
	SQLite   SQLite
	Postgres Postgres
	Metrics  Metrics
	Tracing  Tracing

	keys []*key
}

// Log says what is logged, and how.
type Log struct {
	Level  string // one of LogLevels
	Format string // one of LogFormats
}

// What Log may say.
var (
	LogLevels  = []string{"debug", "info", "warn", "error"}
	LogFormats = []string{"text", "json"}
)

// HTTP bounds the HTTP API.
type HTTP struct {
	WaitMax        time.Duration
	WaitersMax     int
	BodyBytesMax   int
	AnswerBytesMax int
}

// Tasks configures the tasks that the binary knows by itself.
type Tasks struct {
	HTTPEnabled bool
	HTTP        builtin.HTTPConfig
	Exec        builtin.ExecConfig
}

// SQLite says how a database file is kept.
type SQLite struct {
	LockWait   time.Duration
	Readers    int
	QuickCheck bool
	Moved      string // one of MovedModes
}

// MovedModes are what SQLite may say of a file that is marked as moved.
var MovedModes = []string{"refuse", "take_back"}

// Postgres says how a schema of a PostgreSQL database is worked with.
type Postgres struct {
	Schema      string
	Conns       int
	Migrate     string // one of MigrateModes
	Pooler      bool
	ListenURL   string
	CallTimeout time.Duration
}

// MigrateModes are what Postgres may say.
var MigrateModes = []string{"up", "never"}

// Metrics says whether /metrics is served.
type Metrics struct {
	Enabled bool
}

// Tracing says where traces go. Without an endpoint there are none.
type Tracing struct {
	OTLPEndpoint string
	SampleRatio  float64
}

// Sources are where a configuration comes from. Flags go before the environment, that before the file, that before the defaults.
type Sources struct {
	File  string                      // in YAML; empty: none
	Env   func(string) (string, bool) // as os.LookupEnv; nil: none
	Flags []Flag

	Listens bool // the process listens, so that it must be safe to
}

// Flag is a flag that was given.
type Flag struct {
	Name  string // with its dashes
	Key   string // the path of the key that it sets
	Entry string // of a mapping, when the flag sets that alone
	Value string
}

// Load gives the configuration that the sources come to. The error is of type [Errors] and has all that is wrong.
func Load(s Sources) (*Config, error) {
	c := &Config{}
	c.keys = keysOf(c)
	l := &loader{keys: map[string]*key{}}
	for _, k := range c.keys {
		l.keys[k.Path] = k
	}
	if s.File != "" {
		l.file(s.File)
	}
	if s.Env != nil {
		for _, k := range c.keys {
			if text, ok := s.Env(k.Env()); ok && text != "" {
				l.text(k, text, k.Env())
			}
		}
	}
	for _, f := range s.Flags {
		k := l.keys[f.Key]
		if f.Entry != "" {
			l.took(k, k.set(f.Entry, f.Value), f.Name)
		} else {
			l.text(k, f.Value, f.Name)
		}
	}
	c.checkTogether(l, s.Listens)
	if len(l.problems) > 0 {
		return nil, l.problems
	}
	return c, nil
}

// Default gives the default of a key, as a flag would have it.
func Default(path string) string {
	for _, k := range keysOf(&Config{}) {
		if k.Path != path {
			continue
		}
		if text, err := strconv.Unquote(k.shown()); err == nil {
			return text
		}
		return k.shown()
	}
	panic("config: there is no key " + path)
}

// Variable gives the environment variable of a key.
func Variable(path string) string { return (&key{Path: path}).Env() }
