package async

// take gives the next result, if it is there. Only the consumer calls it.
func (m *mapper[A, B]) take() (out mapOut[B], ok bool) {
	if m.mode == mapUnordered {
		out, ok = m.queue.pop()
		return out, ok
	}
	for m.row.end.Load() == m.gone {
		m.row = m.row.newer
	}
	place := m.row.place(m.gone)
	if !place.full.Load() {
		return out, false
	}
	out = place.out
	place.out = mapOut[B]{}
	place.full.Store(false)
	return out, true
}

// took makes room for one more item. That is made known in lots, unless the producer waits for it or the window is small.
func (m *mapper[A, B]) took() {
	m.gone++
	if m.gone-m.known >= m.lot.Load() || m.ahead.sleeping.Load() > 0 {
		m.publish()
	}
}

// publish makes known to the producer what has been taken.
func (m *mapper[A, B]) publish() {
	m.known = m.gone
	m.taken.Store(m.gone)
	m.ahead.wake()
}

// giveAll gives results to the loop until all are given or the run stops. It returns false when the loop was left.
func (m *mapper[A, B]) giveAll(yield func(B, error) bool) bool {
	me := newSleeper()
	var out mapOut[B]
	var ok bool
	look := func() bool {
		out, ok = m.take()
		return ok || m.stopped.Load() || m.produced.Load() == m.gone
	}
	for {
		out, ok = m.take()
		if !ok {
			m.publish()
			m.wanted.wait(me, look)
		}
		if !ok {
			return true
		}
		m.took()
		if !yield(out.value, out.err) {
			return false
		}
	}
}

// giveRest gives what was ready when the run stopped, and then what stopped it. All workers have ended.
func (m *mapper[A, B]) giveRest(yield func(B, error) bool) {
	for {
		out, ok := m.take()
		if !ok {
			break
		}
		m.took()
		if !yield(out.value, out.err) {
			return
		}
	}
	m.publish()
	if err := m.outcome(); err != nil {
		var zero B
		yield(zero, err)
	}
}
