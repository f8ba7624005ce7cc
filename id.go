package godwit

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"
	"time"
)

// ID names a job, a session or a promise: a UUIDv7 (RFC 9562, section 5.7), 16 bytes, big endian, so that ids sort by the
// time they were made. The zero ID is no id.
type ID [16]byte

// IDLength is the length in characters of the text form of an [ID].
const IDLength = 36

// ParseID reads the text form 8-4-4-4-12 of hexadecimal digits, in either case. Anything else is an [Error] with
// [CodeInvalid] that says what is wrong.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != IDLength || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, invalid("id", "must be a UUID such as 0190a6f2-7b3c-7def-8123-456789abcdef, got %s", quoteShort(s))
	}
	digits := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil {
		return ID{}, invalid("id", "must hold hexadecimal digits only, got %s", quoteShort(s))
	}
	return id, nil
}

// String gives the text form, lower case: 0190a6f2-7b3c-7def-8123-456789abcdef.
func (id ID) String() string {
	var b [IDLength]byte
	hex.Encode(b[0:8], id[0:4])
	b[8] = '-'
	hex.Encode(b[9:13], id[4:6])
	b[13] = '-'
	hex.Encode(b[14:18], id[6:8])
	b[18] = '-'
	hex.Encode(b[19:23], id[8:10])
	b[23] = '-'
	hex.Encode(b[24:36], id[10:16])
	return string(b[:])
}

// IsZero reports whether id is the zero ID.
func (id ID) IsZero() bool { return id == ID{} }

// Compare orders ids by their bytes: by the time they were made.
func (id ID) Compare(other ID) int { return bytes.Compare(id[:], other[:]) }

// Time gives the millisecond at which the id was made, by the clock of its maker.
func (id ID) Time() time.Time {
	ms := int64(id[0])<<40 | int64(id[1])<<32 | int64(id[2])<<24 | int64(id[3])<<16 | int64(id[4])<<8 | int64(id[5])
	return time.UnixMilli(ms).UTC()
}

// MarshalText gives the text form.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the text form, as [ParseID] does.
func (id *ID) UnmarshalText(text []byte) error {
	parsed, err := ParseID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// idsOfProcess makes the ids of [NewID].
var idsOfProcess IDs

// NewID makes an id, greater than every one it made before in this process. Give it to [SubmitOptions] when a submission may
// have to be repeated.
func NewID() ID { return idsOfProcess.New() }

// IDs makes ids that grow strictly. Its counter has the 12 bits after the millisecond and borrows from later
// milliseconds when a burst uses them up (RFC 9562, section 6.2, method 1); the last 62 bits are random. The zero value
// is ready for use and safe for use by many goroutines.
type IDs struct {
	// Now is the clock that ids are stamped with. Defaults to time.Now.
	Now func() time.Time

	mu   sync.Mutex
	last uint64 // guarded by mu: milliseconds<<12 | counter of the newest id
}

// New makes the next id, greater than every id this generator made or was told of.
func (g *IDs) New() ID {
	now := time.Now
	if g.Now != nil {
		now = g.Now
	}
	stamp := uint64(max(now().UnixMilli(), 0)) << 12

	g.mu.Lock()
	g.last = max(stamp, g.last+1)
	stamp = g.last
	g.mu.Unlock()

	var id ID
	if _, err := rand.Read(id[8:]); err != nil {
		panic(fmt.Sprintf("godwit: read random bits: %v", err)) // crypto/rand documents that it never fails
	}
	ms := stamp >> 12
	id[0], id[1], id[2] = byte(ms>>40), byte(ms>>32), byte(ms>>24)
	id[3], id[4], id[5] = byte(ms>>16), byte(ms>>8), byte(ms)
	id[6] = 0x70 | byte(stamp>>8)&0x0f
	id[7] = byte(stamp)
	id[8] = 0x80 | id[8]&0x3f
	return id
}

// newest gives the time that the newest id is stamped with.
func (g *IDs) newest() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.UnixMilli(int64(g.last >> 12)) //nolint:gosec // 52 bits are left
}

// idAheadMax is how far ahead of the clock an id may be stamped.
const idAheadMax = 24 * time.Hour

// Observe tells the generator of an id made elsewhere: later ids are greater, even when the clock went back. Ids stamped
// more than a day ahead of the clock are passed over, so that one bad clock cannot move every id that follows.
func (g *IDs) Observe(id ID) {
	if id[6]>>4 != 7 || id.Time().After(time.Now().Add(idAheadMax)) {
		return
	}
	ms := uint64(id.Time().UnixMilli())
	stamp := ms<<12 | uint64(id[6]&0x0f)<<8 | uint64(id[7])
	g.mu.Lock()
	g.last = max(g.last, stamp)
	g.mu.Unlock()
}
