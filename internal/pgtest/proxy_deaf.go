package pgtest

import "encoding/binary"

// Deafen drops notifications on all connections, until Deafen(false): everything else passes, so that nobody can tell from his
// connection that he is told nothing. Connections must not be encrypted.
func (p *Proxy) Deafen(deaf bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = deaf
}

// Dropped is how many notifications were.
func (p *Proxy) Dropped() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dropped
}

// notification is the type of PostgreSQL's message NotificationResponse.
const notification = 'A'

// messages cuts what a server sends into its messages: a type of one byte, and a length of four that counts itself. It is for one
// goroutine.
type messages struct {
	begun bool   // a message has come
	head  []byte // of a message that has not come whole
	left  int    // bytes of the message that are still to come
	drop  bool   // ... and are to be dropped
}

// without gives a chunk without the notifications in it, if they are to be dropped, and counts them. The beginning of a message whose
// type and length have not come whole is kept for the next chunk.
func (m *messages) without(chunk []byte, deaf bool) (rest []byte, dropped int) {
	if !m.begun && len(chunk) == 1 && (chunk[0] == 'N' || chunk[0] == 'S') {
		return chunk, 0 // the answer to whoever asks whether the server speaks TLS, which is no message
	}
	m.begun = true
	for len(chunk) > 0 {
		if m.left > 0 {
			n := min(m.left, len(chunk))
			if !m.drop {
				rest = append(rest, chunk[:n]...)
			}
			m.left -= n
			chunk = chunk[n:]
			continue
		}
		n := min(headBytes-len(m.head), len(chunk))
		m.head = append(m.head, chunk[:n]...)
		chunk = chunk[n:]
		if len(m.head) < headBytes {
			break
		}
		m.left = int(binary.BigEndian.Uint32(m.head[1:])) - 4
		if m.drop = deaf && m.head[0] == notification; m.drop {
			dropped++
		} else {
			rest = append(rest, m.head...)
		}
		m.head = m.head[:0]
	}
	return rest, dropped
}

const headBytes = 5
