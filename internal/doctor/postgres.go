package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// PostgresLimits say from when on something about a server is worth a finding. The zero value is useful.
type PostgresLimits struct {
	// Held is how old a snapshot may be. Defaults to 5 min.
	Held time.Duration
	// Blocked is how long a session may wait for a lock. Defaults to 10 s.
	Blocked time.Duration
	// Dead is how many dead rows a table may have when they are more than those alive. Defaults to 100000.
	Dead int64
	// Skew is how far the clocks may be apart. Defaults to 2 s.
	Skew time.Duration
}

func (l PostgresLimits) withDefaults() PostgresLimits {
	if l.Held == 0 {
		l.Held = 5 * time.Minute
	}
	if l.Blocked == 0 {
		l.Blocked = 10 * time.Second
	}
	if l.Dead == 0 {
		l.Dead = 100_000
	}
	if l.Skew == 0 {
		l.Skew = 2 * time.Second
	}
	return l
}

// Bounds on a server.
const (
	postgresVersionMin = 140000
	frozenAgeHigh      = 1_000_000_000 // transactions; at about 2.1 thousand million the server stops
	frozenAgeOut       = 1_800_000_000
	slotRetainedHigh   = 1 << 30 // bytes of log
	slotXminHigh       = 1_000_000
)

// Findings says what is to be said about the server and the schema.
func (p *Postgres) Findings(limits PostgresLimits) []Finding {
	limits = limits.withDefaults()
	found := p.server()
	found = append(found, p.schema()...)
	found = append(found, p.rights()...)
	found = append(found, p.pooler()...)
	found = append(found, p.clock(limits)...)
	found = append(found, p.durability()...)
	found = append(found, p.snapshots(limits)...)
	found = append(found, p.slots()...)
	found = append(found, p.locks(limits)...)
	found = append(found, p.vacuum(limits)...)
	return append(found, p.connections()...)
}

func (p *Postgres) server() []Finding {
	const check = "server"
	switch {
	case p.Version < postgresVersionMin:
		return []Finding{finding(Error, check, "bring the server to version 14 or later", "", "PostgreSQL %s is too old", p.VersionText)}
	case p.InRecovery:
		return []Finding{finding(Error, check, "name the primary, or all hosts: postgres://user@host1,host2/"+p.Database, "",
			"the server is a standby, which takes no writes (PostgreSQL %s)", p.VersionText)}
	case p.ReadOnly:
		return []Finding{finding(Error, check, p.readOnlyMend(), "", "transactions are read-only by default (default_transaction_read_only is on)")}
	}
	return []Finding{finding(OK, check, "", "", "PostgreSQL %s, database %s, role %s", p.VersionText, p.Database, p.Role)}
}

// readOnlyMend says how to let the role write, by what keeps it from that. A server that ran out of disk may be set so by its host.
func (p *Postgres) readOnlyMend() string {
	const reset = " RESET default_transaction_read_only"
	change := map[string]string{
		"configuration file": "ALTER SYSTEM" + reset + " (or take it out of postgresql.conf), and SELECT pg_reload_conf()",
		"database":           fmt.Sprintf("ALTER DATABASE %q", p.Database) + reset,
		"user":               fmt.Sprintf("ALTER ROLE %q", p.Role) + reset,
		"database user":      fmt.Sprintf("ALTER ROLE %q IN DATABASE %q", p.Role, p.Database) + reset,
	}[p.ReadOnlyBy]
	if change == "" {
		return "take default_transaction_read_only out of the URL, PGOPTIONS or the server's command line"
	}
	return "see first whether the server's host set it because the disk is full; then: SET default_transaction_read_only = off; " + change
}

func (p *Postgres) schema() []Finding {
	const check = "schema"
	switch {
	case p.StepsError != nil && (p.InRecovery || p.ReadOnly):
		return nil // that was said, and the steps are not told where nothing can be written
	case !p.There || len(p.Tables) == 0:
		return []Finding{finding(Error, check, "correct --schema, or make it", "migrate up", "there is no schema %s with jobs in it", p.Schema)}
	case p.StepsError != nil:
		return []Finding{finding(Error, check, "", "", "%v", p.StepsError)}
	case p.Lacking > 0:
		return []Finding{finding(Error, check, "let the owner take them", "migrate up", "schema %s lacks %s of %d", p.Schema, count(p.Lacking, "step", "steps"), p.Steps)}
	}
	return []Finding{finding(OK, check, "", "", "%s, %s", p.Schema, count(p.Steps, "step", "steps"))}
}

// rights looks at what the role may do with each table.
func (p *Postgres) rights() []Finding {
	if len(p.Tables) == 0 {
		return nil
	}
	var lacks []string
	for _, t := range p.Tables {
		if len(t.Lacks) > 0 {
			lacks = append(lacks, fmt.Sprintf("%s (%s)", t.Name, strings.Join(t.Lacks, ", ")))
		}
	}
	if len(lacks) == 0 {
		return orOK(nil, "rights", "the role may work with the rows of every table")
	}
	more := ""
	if len(lacks) > 3 {
		more = fmt.Sprintf(" and %d more tables", len(lacks)-3)
		lacks = lacks[:3]
	}
	return []Finding{finding(Error, "rights", fmt.Sprintf("let the owner run what godwit migrate grants --schema %s %s prints", p.Schema, p.Role), "",
		"role %s lacks rights on %s%s", p.Role, strings.Join(lacks, ", "), more)}
}

func (p *Postgres) pooler() []Finding {
	const check = "pooler"
	switch {
	case p.Pooler && !p.PoolerSaid:
		return []Finding{finding(Warning, check, "set postgres.pooler: true (GODWIT_POSTGRES_POOLER): processes notice it by themselves, but only once they have connected, and try to listen through it", "",
			"a pooler answers in the server's stead, and the configuration does not say so")}
	case p.Pooler:
		return []Finding{finding(OK, check, "", "", "a pooler, as the configuration says")}
	case p.PoolerSaid:
		return []Finding{finding(Info, check, "without a pooler postgres.pooler: false makes calls cheaper", "", "the configuration says that there is a pooler, and none was seen")}
	}
	return []Finding{finding(OK, check, "", "", "none between here and the server")}
}

func (p *Postgres) clock(limits PostgresLimits) []Finding {
	if apart := p.Skew.Abs() - p.SkewError; apart > limits.Skew {
		way := "ahead of"
		if p.Skew < 0 {
			way = "behind"
		}
		return []Finding{finding(Warning, "clock", "let both take their time from NTP; jobs go by the server's clock, what you read in logs by that of each machine", "",
			"the server's clock is %s %s that of this machine", p.Skew.Abs().Round(100*time.Millisecond), way)}
	}
	if p.Ahead > limits.Skew {
		return []Finding{finding(Warning, "clock", "let the server take its time from NTP; jobs go by the time of the leases until its clock has caught up", "",
			"leases were renewed at times %s ahead of the server's clock: it was set back, or another server took over whose clock is behind", span(p.Ahead))}
	}
	return orOK(nil, "clock", "within %s of this machine's; run this on others to compare theirs", limits.Skew)
}

// durability looks for settings by which what was acknowledged can be lost.
func (p *Postgres) durability() []Finding {
	const check = "durability"
	var found []Finding
	for _, name := range []string{"fsync", "full_page_writes"} {
		if p.Durability[name] == "off" {
			found = append(found, finding(Warning, check, "set it to on in postgresql.conf", "", "%s is off: a crash of the server's machine may lose or damage all there is", name))
		}
	}
	if p.Durability["synchronous_commit"] == "off" {
		found = append(found, finding(Info, check, "set it to on where transactions of your program carry jobs", "",
			"synchronous_commit is off: Godwit's own commits wait for the disk all the same, those of your program do not"))
	}
	return orOK(found, check, "fsync is on, synchronous_commit %s", p.Durability["synchronous_commit"])
}

// snapshots looks for what keeps dead rows from being removed, by which tables that change fast grow without end.
func (p *Postgres) snapshots(limits PostgresLimits) []Finding {
	const check = "snapshots"
	var found []Finding
	for _, h := range p.Holders {
		if h.Age > limits.Held && len(found) < findingsMax {
			found = append(found, finding(Warning, check, h.Mend, "", "%s for %s: nothing deleted since can be vacuumed", h.What, span(h.Age)))
		}
	}
	if len(found) == 0 && !p.SeesOthers {
		return []Finding{finding(Info, check, fmt.Sprintf("GRANT pg_read_all_stats TO %q", p.Role), "",
			"the role does not see what sessions of other roles do; of its own none is old")}
	}
	return orOK(found, check, "none is older than %s", span(limits.Held))
}

func (p *Postgres) slots() []Finding {
	const check = "slots"
	var found []Finding
	for _, s := range p.Slots {
		drop := fmt.Sprintf("start what reads it, or drop it: SELECT pg_drop_replication_slot('%s')", strings.ReplaceAll(s.Name, "'", "''"))
		switch {
		case !s.Active:
			found = append(found, finding(Warning, check, drop, "", "nobody reads replication slot %s, which keeps %s of log and whatever is written from now on", s.Name, bytesText(s.Retained)))
		case s.Retained > slotRetainedHigh:
			found = append(found, finding(Warning, check, drop, "", "replication slot %s lags, and keeps %s of log", s.Name, bytesText(s.Retained)))
		case s.XminAge > slotXminHigh:
			found = append(found, finding(Warning, check, drop, "", "replication slot %s keeps a snapshot that is %d transactions old", s.Name, s.XminAge))
		}
	}
	for _, f := range p.Feeders {
		if f.XminAge > slotXminHigh {
			found = append(found, finding(Warning, check, "end the long query there, or set hot_standby_feedback = off on it", "",
				"standby %s (process %d) keeps a snapshot that is %d transactions old, for a query of its own", short(f.Name), f.PID, f.XminAge))
		}
	}
	return orOK(found, check, "%s, none left behind", count(len(p.Slots), "replication slot", "replication slots"))
}

func (p *Postgres) locks(limits PostgresLimits) []Finding {
	var found []Finding
	var told []int
	for _, b := range p.Blocks {
		if b.For > limits.Blocked && !slices.Contains(told, b.By) && len(found) < findingsMax {
			told = append(told, b.By)
			found = append(found, finding(Warning, "locks", fmt.Sprintf("end it in its program, or SELECT pg_terminate_backend(%d)", b.By), "",
				"session %d waits for %s for a lock of session %d (%s)", b.Blocked, span(b.For), b.By, b.ByWhat))
		}
	}
	for _, k := range p.Keepers {
		if k.For > limits.Blocked && !slices.Contains(told, k.PID) && len(found) < findingsMax {
			told = append(told, k.PID)
			found = append(found, finding(Warning, "locks",
				fmt.Sprintf("commit soon after SettleTx and SubmitTx; end it in its program, or SELECT pg_terminate_backend(%d)", k.PID), "",
				"session %d (%s) holds locks on sessions or jobs for %s: meanwhile such a job is not claimed, and the jobs of such a worker are not rescued if it dies", k.PID, k.What, span(k.For)))
		}
	}
	return orOK(found, "locks", "no session waits, or keeps others from the jobs, longer than %s", span(limits.Blocked))
}

// vacuum looks for tables with more dead rows than live ones, and for a server that runs out of transaction numbers.
func (p *Postgres) vacuum(limits PostgresLimits) []Finding {
	const check = "vacuum"
	var found []Finding
	if !p.Autovacuum {
		found = append(found, finding(Warning, check, "set autovacuum and track_counts to on in postgresql.conf", "", "autovacuum is off: tables grow without end"))
	}
	for _, t := range p.Tables {
		name := p.Schema + "." + t.Name
		if t.AutovacuumOff {
			found = append(found, finding(Warning, check, "ALTER TABLE "+name+" RESET (autovacuum_enabled)", "", "autovacuum is off for table %s", name))
		}
		if t.Dead > limits.Dead && t.Dead > t.Live {
			when := "never vacuumed"
			if t.VacuumedBefore >= 0 {
				when = "vacuumed " + span(t.VacuumedBefore) + " ago"
			}
			found = append(found, finding(Warning, check, "if snapshots or slots are told above mend them first; then VACUUM "+name, "",
				"table %s has %d dead rows to %d alive, %s", name, t.Dead, t.Live, when))
		}
	}
	switch {
	case p.FrozenAge > frozenAgeOut:
		found = append(found, finding(Error, check, "VACUUM (FREEZE) the database now, before the server stops taking writes", "", "the oldest transaction that is not frozen is %d transactions old", p.FrozenAge))
	case p.FrozenAge > frozenAgeHigh:
		found = append(found, finding(Warning, check, "see what keeps autovacuum from freezing", "", "the oldest transaction that is not frozen is %d transactions old", p.FrozenAge))
	}
	return orOK(found, check, "dead rows are removed in time")
}

func (p *Postgres) connections() []Finding {
	text := fmt.Sprintf("%d of %d connections are in use", p.Connections, p.ConnectionsOf)
	if p.Connections*10 > p.ConnectionsOf*9 {
		return []Finding{finding(Warning, "connections", "lower postgres.conns, raise max_connections, or put a pooler before the server (postgres.pooler: true)", "", "%s", text)}
	}
	return orOK(nil, "connections", "%s", text)
}
