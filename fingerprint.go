package godwit

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"
)

// hashOf is the first half of a SHA-256.
func hashOf(data []byte) [16]byte {
	sum := sha256.Sum256(data)
	return [16]byte(sum[:16])
}

// childFingerprint hashes what a child that is submitted again must have in common with the first: task and arguments. Its
// options may well be computed anew in each run (a delay until a certain time): those of the first submission stand.
func childFingerprint(j *NewJob) [16]byte {
	b := make([]byte, 0, len(j.Task)+len(j.Args.Encoding)+len(j.Args.Data)+2)
	b = append(append(b, j.Task...), 0)
	b = append(append(b, j.Args.Encoding...), 0)
	return hashOf(append(b, j.Args.Data...))
}

// fingerprint hashes what an honest repetition of a submission has in common: task, queue, arguments and the options
// as they were given. A deadline counts as its duration. Left out are the id, the keys themselves, the headers (a trace context differs
// each time) and the policy, so that a new release with another policy does not make its parents' children strangers.
func fingerprint(j *NewJob, o SubmitOptions) [16]byte {
	b := make([]byte, 0, 256+len(j.Args.Data))
	text := func(parts ...string) {
		for _, s := range parts {
			b = binary.AppendUvarint(b, uint64(len(s)))
			b = append(b, s...)
		}
	}
	number := func(parts ...int64) {
		for _, n := range parts {
			b = binary.AppendVarint(b, n)
		}
	}
	text(j.Task, j.Queue, j.Args.Encoding, string(j.Args.Data))
	number(int64(o.Delay), int64(o.MaxAttempts), int64(o.Timeout), int64(o.Deadline))
	if !o.RunAt.IsZero() {
		number(o.RunAt.Truncate(time.Microsecond).UnixMicro())
	}
	text("priority")
	if o.Priority != nil {
		number(int64(*o.Priority))
	}
	text("unique", j.Unique.Scope, j.Unique.Key, string(j.Unique.While), string(j.Unique.OnClash), "tags")
	text(slices.Sorted(slices.Values(o.Tags))...)
	if o.Detached {
		text("detached")
	}
	return hashOf(b)
}
