package sqlite

import (
	"encoding/binary"
	"fmt"
	"slices"

	zs "zombiezen.com/go/sqlite"

	"github.com/godwit-go/godwit"
)

// Jobs are submitted, claimed, settled and pruned together, and the ids that one maker made one after the other are neighbours: the
// 60 bits before the random ones count up. A statement over the range from the first to the last of such a run walks the table
// once, where one over a list looks up each of them, which takes several times as long.
const (
	denseMin    = 16 // shorter runs are looked up
	denseGapMax = 8  // a run ends where its maker left out more than this
	denseWaste  = 2  // a range that holds more rows than this for each that is asked for is not walked
)

// count60 gives the bits of an id that count up.
func count60(id godwit.ID) uint64 {
	head := binary.BigEndian.Uint64(id[:8])
	return head>>16<<12 | head&0xfff
}

// eachRun calls dense for the runs of neighbours among ids, which it orders, and sparse for the rest.
func eachRun(ids []godwit.ID, dense, sparse func(ids []godwit.ID) error) error {
	if !slices.IsSortedFunc(ids, godwit.ID.Compare) {
		ids = slices.Clone(ids)
		slices.SortFunc(ids, godwit.ID.Compare)
	}
	var rest []godwit.ID
	for len(ids) > 0 {
		n := 1
		for n < len(ids) && count60(ids[n])-count60(ids[n-1]) <= denseGapMax {
			n++
		}
		if n < denseMin {
			rest = append(rest, ids[:n]...)
		} else if err := dense(ids[:n]); err != nil {
			return err
		}
		ids = ids[n:]
	}
	if len(rest) == 0 {
		return nil
	}
	return sparse(rest)
}

// selectIDs runs a query over ids, each given once, whose first column is the id, and calls got for each row, in no certain order.
func (c *conn) selectIDs(m *multi, ids []godwit.ID, got func(s *row) error) error {
	return eachRun(ids, func(run []godwit.ID) error {
		n, err := c.countBetween(m, run, denseWaste*len(run)+1)
		switch {
		case err != nil || n == 0:
			return err
		case n > denseWaste*len(run):
			return c.manyIDs(m, run, got)
		}
		left := run
		return c.between(m, run, nil, func(s *row) error {
			id := columnID(s, 0)
			for len(left) > 0 && left[0].Compare(id) < 0 {
				left = left[1:]
			}
			if len(left) == 0 || left[0] != id {
				return nil
			}
			return got(s)
		})
	}, func(rest []godwit.ID) error { return c.manyIDs(m, rest, got) })
}

// changeIDs runs an UPDATE or DELETE over ids, each given once. That one of them is not there is damage. first, if not nil, binds the
// parameters that come before the ids and gives the next one.
func (c *conn) changeIDs(m *multi, ids []godwit.ID, first func(s *zs.Stmt) int) error {
	return eachRun(ids, func(run []godwit.ID) error {
		n, err := c.countBetween(m, run, len(run)+1)
		switch {
		case err != nil:
			return err
		case n != len(run): // the range holds others too
			return c.changeEach(m, run, first)
		}
		return c.between(m, run, first, nil)
	}, func(rest []godwit.ID) error { return c.changeEach(m, rest, first) })
}

func (c *conn) changeEach(m *multi, ids []godwit.ID, first func(s *zs.Stmt) int) error {
	c.changed = 0
	err := c.many(m, len(ids), func(s *zs.Stmt, p, i int) int {
		if p == 1 && first != nil {
			p = first(s)
		}
		s.BindBytes(p, ids[i][:])
		return p + 1
	}, nil)
	if err == nil && c.changed != len(ids) {
		return damaged(tableOf(m.head), fmt.Errorf("%d of the %d jobs from %s on are not where they should be", len(ids)-c.changed, len(ids), ids[0]))
	}
	return err
}

// between runs m over the range from the first to the last of a run.
func (c *conn) between(m *multi, run []godwit.ID, first func(s *zs.Stmt) int, got func(s *row) error) error {
	s, err := c.prepareMulti(m, rangeSize)
	if err != nil {
		return err
	}
	p := 1
	if first != nil {
		p = first(s)
	}
	s.BindBytes(p, run[0][:])
	s.BindBytes(p+1, run[len(run)-1][:])
	return drain(s, m.head, got)
}

// countBetween counts the rows in the range of a run, at most limit.
func (c *conn) countBetween(m *multi, run []godwit.ID, limit int) (int, error) {
	n, err := number(c, m.count, run[0], run[len(run)-1], limit)
	return int(n), err
}
