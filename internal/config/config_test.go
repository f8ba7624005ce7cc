package config

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// write makes a configuration file named c.yaml.
func write(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		i := slices.Index(pairs, name)
		if i < 0 {
			return "", false
		}
		return pairs[i+1], true
	}
}

func load(t *testing.T, s Sources) *Config {
	t.Helper()
	c, err := Load(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := load(t, Sources{})
	if c.DB != "sqlite:godwit.db" || c.Listen != "127.0.0.1:8080" || c.Queues["default"] != 8 || c.Lease != 12*time.Second ||
		c.Tasks.HTTP.ResponseBytesMax != 256<<10 || !c.Tasks.HTTPEnabled || len(c.Tasks.Exec.Allow) != 0 || c.Tracing.OTLPEndpoint != "" || !c.Metrics.Enabled {
		t.Errorf("the defaults are %+v", c)
	}
}

func TestFlagsGoBeforeEnvironmentBeforeFileBeforeDefaults(t *testing.T) {
	t.Parallel()
	s := Sources{File: write(t, "db: sqlite:file.db\nlease: 2s\nstop_grace: 2s\npoll_interval: 2s\n")}
	s.Env = env("GODWIT_LEASE", "3s", "GODWIT_STOP_GRACE", "3s", "GODWIT_DB", "")
	s.Flags = []Flag{{Name: "--grace", Key: "stop_grace", Value: "4s"}}
	c := load(t, s)
	if c.HardGrace != 5*time.Second || c.PollInterval != 2*time.Second || c.Lease != 3*time.Second || c.StopGrace != 4*time.Second || c.DB != "sqlite:file.db" {
		t.Errorf("got hard grace %s, poll interval %s, lease %s, stop grace %s, db %s", c.HardGrace, c.PollInterval, c.Lease, c.StopGrace, c.DB)
	}
}

func TestListsAndMappingsReplaceTheirDefaults(t *testing.T) {
	t.Parallel()
	file := write(t, "queues:\n  images: 2\n  mail: 1\ntasks:\n  http:\n    allow_private: [10.0.0.0/8, \"::1\"]\n  exec:\n    pass_env: [A]\n")
	c := load(t, Sources{File: file})
	if want := map[string]int{"images": 2, "mail": 1}; !reflect.DeepEqual(c.Queues, want) {
		t.Errorf("queues are %v, want %v", c.Queues, want)
	}
	if want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}; !slices.Equal(c.Tasks.HTTP.AllowPrivate, want) {
		t.Errorf("allow_private is %v, want %v", c.Tasks.HTTP.AllowPrivate, want)
	}
	c = load(t, Sources{File: file, Env: env("GODWIT_QUEUES", "a=1, b=2", "GODWIT_TASKS_EXEC_PASS_ENV", "X,Y")})
	if want := map[string]int{"a": 1, "b": 2}; !reflect.DeepEqual(c.Queues, want) || !slices.Equal(c.Tasks.Exec.PassEnv, []string{"X", "Y"}) {
		t.Errorf("from the environment: queues %v, pass_env %v", c.Queues, c.Tasks.Exec.PassEnv)
	}
	c = load(t, Sources{Flags: []Flag{{Name: "--workers", Key: "queues", Entry: "default", Value: "3"}}})
	if c.Queues["default"] != 3 {
		t.Errorf("--workers 3 makes %v", c.Queues)
	}
}

func TestFileOfCommentsIsNoFault(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"# nothing\n", "tasks:\n  http:\n  #  enabled: true\nqueues:\n"} {
		load(t, Sources{File: write(t, content)})
	}
}

// faults are files and what is said about them; @ stands for the file's name.
var faults = map[string]struct{ content, want string }{
	"unknown key":              {"lese: 3s\n", `@:1:1: lese is no key (did you mean "lease"?)`},
	"unknown nested key":       {"tasks:\n  http:\n    timeout_maxx: 1s\n", `@:3:5: tasks.http.timeout_maxx is no key (did you mean "timeout_max"?)`},
	"key of another section":   {"log:\n  lease: 3s\n", `@:2:3: log.lease is no key (did you mean "lease"?)`},
	"key without its section":  {"level: info\n", `@:1:1: level is no key (did you mean "log.level"?)`},
	"key with dots":            {"log.level: info\n", `@:1:1: log.level is no key (write each part as a key of its own, log: level)`},
	"nothing like it":          {"frobnicate: 1\n", `@:1:1: frobnicate is no key`},
	"duration beyond reading":  {"lease: 999999999h\n", `@:1:8: lease must be a duration such as 500ms, 30s or 1h30m, from 1s to 1h, got "999999999h"`},
	"duration without unit":    {"lease: 12\n", `@:1:8: lease must be a duration such as 500ms, 30s or 1h30m, from 1s to 1h, got "12" (did you mean "12s"?)`},
	"duration out of bounds":   {"lease: 2h\n", `@:1:8: lease must be from 1s to 1h, got 2h`},
	"negative grace":           {"stop_grace: -1s\n", `@:1:13: stop_grace must be from 0s to 1h, got -1s`},
	"size in other units":      {"http:\n  body_bytes_max: 64MB\n", `@:2:19: http.body_bytes_max must have one of the units B, KiB, MiB, GiB, got "64MB" (did you mean "64MiB"?)`},
	"size over its bound":      {"tasks: {http: {response_bytes_max: 99999999999999999999}}\n", `@:1:36: tasks.http.response_bytes_max must be from 0B to 512KiB, got 99999999999999999999`},
	"size that is no number":   {"http:\n  body_bytes_max: lots\n", `http.body_bytes_max must be a size such as 512KiB or 64MiB, got "lots"`},
	"yes for true":             {"insecure_listen: yes\n", `@:1:18: insecure_listen must be true or false, got "yes"`},
	"integer is text":          {"queues: {default: many}\n", `@:1:19: queues.default must be a whole number from 1 to 10000, got "many"`},
	"integer too large":        {"queues: {default: 99999999999999999999}\n", `queues.default must be from 1 to 10000, got 99999999999999999999`},
	"no concurrency":           {"queues: {default: 0}\n", `@:1:19: queues.default must be from 1 to 10000, got 0`},
	"queue name":               {"queues:\n  \"a b\": 1\n", `@:2:3: queues must be named by at most 128 letters, digits and "._:-", got "a b"`},
	"no queue":                 {"queues: {}\n", `queues must name at least one queue, such as default=8`},
	"level":                    {"log: {level: warning}\n", `@:1:14: log.level must be one of debug, info, warn, error, got "warning" (did you mean "warn"?)`},
	"schema":                   {"postgres: {schema: Jobs}\n", `@:1:20: postgres.schema must be a name of at most 63 lower case letters, digits and _ that begins with none of the digits, got "Jobs"`},
	"schema of the server's":   {"postgres: {schema: pg_jobs}\n", `postgres.schema must not begin with pg_, which PostgreSQL keeps for itself, got "pg_jobs"`},
	"no connection":            {"postgres: {conns: 0}\n", `postgres.conns must be from 1 to 1000, got 0`},
	"migrate":                  {"postgres: {migrate: down}\n", `postgres.migrate must be one of up, never, got "down"`},
	"call timeout":             {"postgres: {call_timeout: 10ms}\n", `postgres.call_timeout must be from 100ms to 1h, got 10ms`},
	"ratio":                    {"tracing: {sample_ratio: .nan}\n", `tracing.sample_ratio must be a number from 0 to 1, got ".nan"`},
	"list for text":            {"db: [a]\n", `@:1:5: db must be a single value, got a list`},
	"text for list":            {"tasks: {http: {allow_private: 10.0.0.0/8}}\n", `tasks.http.allow_private must be a list, got "10.0.0.0/8"`},
	"text for mapping":         {"queues: default\n", `@:1:9: queues must be a mapping, got "default"`},
	"text for section":         {"tasks: http\n", `@:1:8: tasks must be a mapping, got "http"`},
	"mapping in list":          {"tasks: {http: {allow_private: [{a: b}]}}\n", `tasks.http.allow_private must be a single value, got a mapping`},
	"no value":                 {"lease:\n", `lease has no value (remove the key for its default, 12s)`},
	"no value in list":         {"tasks: {http: {allow_private: [~]}}\n", `tasks.http.allow_private has no value`},
	"given twice":              {"lease: 3s\nlog: {level: info}\nlease: 4s\n", `@:3:1: lease is given twice, first in line 1`},
	"entry given twice":        {"queues:\n  a: 1\n  a: 2\n", `@:3:3: queues.a is given twice, first in line 2`},
	"no CIDR":                  {"tasks: {http: {allow_private: [intranet]}}\n", `must be addresses in CIDR form, such as 10.0.0.0/8, got "intranet"`},
	"CIDR with host bits":      {"tasks: {http: {allow_private: [10.1.2.3/8]}}\n", `must begin at its first address, got "10.1.2.3/8" (did you mean "10.0.0.0/8"?)`},
	"mapped CIDR":              {"tasks: {http: {allow_private: [\"::ffff:10.0.0.0/104\"]}}\n", `must be an IPv4 address in IPv4 form`},
	"relative program":         {"tasks: {exec: {allow: [./run]}}\n", `tasks.exec.allow must be absolute paths or names without a slash, got "./run"`},
	"program not there":        {"tasks: {exec: {allow: [no-such-program-here]}}\n", `names "no-such-program-here", which is not found in PATH`},
	"program is a directory":   {"tasks: {exec: {allow: [/]}}\n", `names "/", which is no program that can be run`},
	"directory not there":      {"tasks: {exec: {dir: /no/such/dir}}\n", `tasks.exec.dir must be a directory: `},
	"relative directory":       {"tasks: {exec: {dir: here}}\n", `tasks.exec.dir must be an absolute path, got "here"`},
	"all variables":            {"tasks: {exec: {allow_env: [\"*\"]}}\n", `must be the name of a variable, or the beginning of one and *, got "*"`},
	"listen without host":      {"listen: 8080\n", `@:1:9: listen must be HOST:PORT, such as 127.0.0.1:8080, got "8080" (did you mean "127.0.0.1:8080"?)`},
	"listen port":              {"listen: 127.0.0.1:99999\n", `listen must have a port from 0 to 65535`},
	"host with a port":         {"hosts: [\"a:80\"]\n", `@:1:9: hosts must be names without a port, such as jobs.example.com, got "a:80"`},
	"host with a path":         {"hosts: [a/b]\n", `hosts must be names without a port`},
	"database without scheme":  {"db: app.db\n", `@:1:5: db must be a URL such as sqlite:app.db, got "app.db" (did you mean "sqlite:app.db"?)`},
	"database of another kind": {"db: mysql://x\n", `@:1:5: db has the scheme "mysql", which is none of sqlite, postgres, memory`},
	"scheme misspelt":          {"db: postgre://x\n", `db has the scheme "postgre", which is none of sqlite, postgres, memory (did you mean "postgres:"?)`},
	"SQLite without a file":    {"db: \"sqlite:\"\n", `db names no file (write sqlite:app.db)`},
	"SQLite with parameters":   {"db: sqlite:a.db?mode=ro\n", `db has parameters, and there are none for SQLite (the configuration has them, under sqlite)`},
	"PostgreSQL's port":        {"db: postgres://u:secret@h:port/x\n", `@:1:5: db must be a URL such as postgres://user@localhost:5432/app (invalid port)`},
	"PostgreSQL's parameter":   {"db: postgres://u@h/x?sslmode=foo\n", `@:1:5: db must be a URL such as postgres://user@localhost:5432/app (failed to configure TLS`},
	"past a pooler":            {"postgres: {listen_url: \"postgres://u:secret@h:port/x\"}\n", `postgres.listen_url must be a URL such as postgres://user@localhost:5432/app (invalid port)`},
	"memory with a name":       {"db: memory:jobs\n", `db must be "memory:" alone, got "memory:jobs" (a store in memory has no name)`},
	"database is empty":        {"db: \"\"\n", `db must be a URL such as sqlite:app.db`},
	"listen to everybody":      {"listen: 0.0.0.0:8080\n", `@:1:9: listen must be a loopback address such as 127.0.0.1:8080, got "0.0.0.0:8080"`},
	"listen on any address":    {"listen: \":8080\"\n", `listen must be a loopback address`},
	"empty":                    {"", `@: is empty (write at least one key, or give no file: the defaults do)`},
	"only spaces":              {" \n\n", `@: is empty`},
	"a list":                   {"- a\n", `@:1:1: must be a mapping of keys to values, got a list`},
	"a text":                   {"hello\n", `@:1:1: must be a mapping of keys to values, got "hello"`},
	"syntax":                   {"log:\n  level: info\n format: text\n", `@:3:2: is not YAML: while parsing a block mapping: did not find expected key`},
	"tab":                      {"log:\n\tlevel: info\n", `@:2:1: is not YAML: while scanning for the next token: found character that cannot start any token (a tab, or one of @ ` + "`" + ` % without quotes)`},
	"two documents":            {"lease: 3s\n---\nlease: 4s\n", `@:2:1: begins a second document, and a configuration is one (remove the line ---)`},
	"binary":                   {"lease: 3s\n\x00\x01", `@:2:1: has the control character 0x0 (a configuration is YAML, in UTF-8)`},
	"not UTF-8":                {"db: caf\xe9\n", `@:1:8: is not valid UTF-8 (a configuration is YAML, in UTF-8)`},
	"anchor":                   {"lease: &a 3s\nstop_grace: *a\n", "@:2:13: has an anchor, an alias or a merge key, which are not supported (write the value out)"},
	"unknown alias":            {"lease: *a\n", `@:1:8: is not YAML: unknown anchor 'a' referenced`},
	"bomb":                     {"a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\nqueues: *c\n", "has an anchor"},
	"merge key":                {"log:\n  <<: {level: info}\n", "@:2:3: has an anchor, an alias or a merge key"},
	"tag":                      {"lease: !!str 3s\n", `@:1:8: has the tag "!!str", which is not supported (write the value alone)`},
	"key is a list":            {"? [a]\n: b\n", `@:1:3: must be a key, got a list`},
	"deep":                     {strings.Repeat("[", 100_000), `is not YAML: while increasing flow level: exceeded max depth of 10000`},
	"huge":                     {strings.Repeat("# x\n", FileMax/4+1), `@: must be at most 1MiB (is it a configuration?)`},
	"kill grace":               {"tasks: {exec: {allow: [/bin/sh], kill_grace: 7s}}\n", `tasks.exec.kill_grace must be shorter than hard_grace (5s), got 7s`},
	"proxy":                    {"tasks: {http: {proxy: \"user:secret@host\"}}\n", `tasks.http.proxy must be a URL such as http://host:4318`},
	"long text":                {"db: " + strings.Repeat("x", 5000) + "\n", `db must be at most 4096 bytes, got 5000`},
	"long unknown key":         {strings.Repeat("x", 5000) + ": 1\n", strings.Repeat("x", 64) + "... is no key"},
}

func TestFaultsOfAFileAreNamedWithTheirPlace(t *testing.T) {
	t.Parallel()
	for name, c := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := write(t, c.content)
			_, err := Load(Sources{File: file, Listens: true})
			if err == nil {
				t.Fatal("it was taken")
			}
			got := strings.ReplaceAll(err.Error(), file, "@")
			if !strings.Contains(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if len(got) > 600 || strings.Contains(got, "secret") {
				t.Errorf("the error has %d bytes: %s", len(got), got)
			}
		})
	}
}

func TestAllFaultsAreToldAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Load(Sources{
		File:  write(t, "lease: 12\nlese: 3s\nqueues: {a: 0, b: x}\ntasks: {http: {timeout_max: 0s}}\n"),
		Env:   env("GODWIT_POLL_INTERVAL", "1h", "GODWIT_QUEUES", "a"),
		Flags: []Flag{{Name: "--grace", Key: "stop_grace", Value: "soon"}, {Name: "--workers", Key: "queues", Entry: "default", Value: "0"}},
	})
	var problems Errors
	if !errors.As(err, &problems) || len(problems) != 9 {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{
		"has 9 faults", "GODWIT_POLL_INTERVAL must be from 1ms to 1m, got 1h", `GODWIT_QUEUES must be name=value, parted by commas, got "a"`,
		"--grace must be a duration", "--workers must be from 1 to 10000, got 0",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
}

func TestManyFaultsAreBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 1000 {
		b.WriteString(strings.Repeat("k", i+1) + ": 1\n")
	}
	_, err := Load(Sources{File: write(t, b.String())})
	if err == nil || !strings.Contains(err.Error(), "and 950 more") || len(err.Error()) > 20_000 {
		t.Errorf("got %v", err)
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for file, want := range map[string]string{
		filepath.Join(dir, "no.yaml"): "no.yaml: cannot be opened: no such file or directory",
		dir:                           "cannot be read: is a directory",
	} {
		if _, err := Load(Sources{File: file}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestPrintedConfigurationIsReadBackAsItWas(t *testing.T) {
	t.Parallel()
	c := load(t, Sources{
		File: write(t, "db: \"sqlite:a # b.db\"\nqueues: {on: 2, \"1\": 3}\nlog: {format: json}\ntasks: {exec: {allow: [/bin/sh], env: {TOKEN: hush}}}\n"),
		Env:  env("GODWIT_TRACING_OTLP_ENDPOINT", "http://me:hush@host:4318"),
	})
	var printed bytes.Buffer
	if err := c.Print(&printed); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(printed.String(), "hush") {
		t.Errorf("a secret is shown:\n%s", &printed)
	}
	again := load(t, Sources{File: write(t, printed.String())})
	again.Tasks.Exec.Env, again.Tracing.OTLPEndpoint = c.Tasks.Exec.Env, c.Tracing.OTLPEndpoint
	c.keys, again.keys = nil, nil
	if !reflect.DeepEqual(c, again) {
		t.Errorf("got %+v\nwant %+v\nfrom\n%s", again, c, &printed)
	}
}

func TestURLsAreShownWithoutTheirSecrets(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"sqlite:/var/lib/a@b.db":                    "sqlite:/var/lib/a@b.db",
		"postgres://u:hush@h/db":                    "postgres://u:***@h/db",
		"postgres://u@h/db?password=hush&sslmode=x": "postgres://u@h/db?password=***&sslmode=x",
		"postgres://u:hu%zzsh@h/db":                 "***",
		"postgres://u:hush@h1:5432,h2:5433/db":      "postgres://u:***@h1:5432,h2:5433/db",
		"http://h:4318?api_key=hush":                "http://h:4318?api_key=***",
	} {
		if got := Redacted(raw); got != want {
			t.Errorf("%s is shown as %s, want %s", raw, got, want)
		}
	}
}

func TestLoopbackIsToldFromTheRest(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:0": true, "127.8.8.8:1": true, "[::1]:1": true, "localhost:1": true, "[::ffff:127.0.0.1]:1": true,
		":1": false, "0.0.0.0:1": false, "[::]:1": false, "10.0.0.1:1": false, "example.com:1": false, "[fe80::1%eth0]:1": false,
	} {
		if got := isLoopback(address); got != want {
			t.Errorf("%s is loopback: %t, want %t", address, got, want)
		}
	}
	load(t, Sources{File: write(t, "listen: 0.0.0.0:8080\ninsecure_listen: true\n"), Listens: true})
	load(t, Sources{File: write(t, "listen: 0.0.0.0:8080\n")})
}

func TestMisspeltVariablesAreTold(t *testing.T) {
	t.Parallel()
	got := Misspelt([]string{
		"GODWIT_LSTEN=a", "GODWIT_LOG_LEVL=debug", "GODWITDB=a", "GODWIT_DB=a", "GODWIT_CONFIG=a", "GODWIT_PORT=tcp://10.0.0.1:80", "GODWIT_SERVICE_HOST=10.0.0.1", "HOME=/",
	})
	want := []string{
		"GODWIT_LSTEN does nothing (did you mean GODWIT_LISTEN?)", "GODWIT_LOG_LEVL does nothing (did you mean GODWIT_LOG_LEVEL?)",
		"GODWITDB does nothing (did you mean GODWIT_DB?)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzLoad(f *testing.F) {
	for _, c := range faults {
		if len(c.content) < 10_000 {
			f.Add([]byte(c.content))
		}
	}
	f.Add([]byte("db: sqlite:a.db\nqueues:\n  a: 1\ntasks:\n  http:\n    allow_private: [10.0.0.0/8]\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := Load(Sources{File: write(t, string(content))})
		if err != nil {
			if len(err.Error()) > 100_000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		var printed bytes.Buffer
		if err := c.Print(&printed); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(Sources{File: write(t, printed.String())}); err != nil {
			t.Errorf("what was printed is refused: %v\n%s", err, &printed)
		}
	})
}
