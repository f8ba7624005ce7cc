package doctor

import "fmt"

// Severity says how much a finding matters.
type Severity string

// The severities, the least first.
const (
	OK      Severity = "ok"      // looked at, and well
	Info    Severity = "info"    // worth knowing
	Warning Severity = "warning" // jobs are late, or soon will be
	Error   Severity = "error"   // jobs are not done until somebody does something
)

// Finding is what one check saw.
type Finding struct {
	Severity Severity
	Check    string // the name of the check
	Message  string // what was seen
	Mend     string // what to do about it; empty when there is nothing to be done
	// Command is a client command of godwit that mends it or shows more, to which whoever prints it adds how the store is
	// reached; empty when there is none.
	Command string
}

// Worst gives the greatest severity among findings, OK when there are none.
func Worst(findings []Finding) Severity {
	rank := map[Severity]int{OK: 0, Info: 1, Warning: 2, Error: 3}
	worst := OK
	for _, f := range findings {
		if rank[f.Severity] > rank[worst] {
			worst = f.Severity
		}
	}
	return worst
}

func finding(s Severity, check, mend, command, format string, args ...any) Finding {
	return Finding{Severity: s, Check: check, Message: fmt.Sprintf(format, args...), Mend: mend, Command: command}
}

// orOK gives the findings, or that all is well when there are none.
func orOK(findings []Finding, check, format string, args ...any) []Finding {
	if len(findings) == 0 {
		return []Finding{finding(OK, check, "", "", format, args...)}
	}
	return findings
}

// count says how many there are of a thing.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
