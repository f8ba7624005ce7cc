//go:build unix

package crash_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/godwit-go/godwit/internal/crash/victim"
)

// sectorSize is the most that a disk writes as one.
const sectorSize = 512

// databaseFiles are those that a disk keeps; the shared memory beside them is made anew.
func databaseFiles(path string) []string { return []string{path, path + "-wal"} }

// beginShadow takes what is in the files as synced.
func beginShadow(path string) error {
	for _, file := range databaseFiles(path) {
		if err := copyFile(file, victim.ShadowOf(file)); err != nil {
			return fmt.Errorf("begin shadow: %w", err)
		}
	}
	return nil
}

// losePower makes of the files what a disk holds whose cache was lost, and tells how many bytes it dropped.
func losePower(rng *rand.Rand, path string) (dropped int, err error) {
	mode := rng.IntN(4)
	for _, file := range databaseFiles(path) {
		written, err := readOrNothing(file)
		if err != nil {
			return 0, err
		}
		synced, err := readOrNothing(victim.ShadowOf(file))
		if err != nil {
			return 0, err
		}
		image := imageOf(rng, mode, synced, written)
		dropped += differing(image, written)
		if err := os.WriteFile(file, image, 0o644); err != nil {
			return 0, fmt.Errorf("lose power: %w", err)
		}
	}
	if err := os.Remove(path + "-shm"); err != nil && !os.IsNotExist(err) {
		return 0, fmt.Errorf("lose power: %w", err)
	}
	return dropped, nil
}

func readOrNothing(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	return data, err
}

// imageOf mixes what was synced and what was written since. In mode 0 nothing unsynced came through; otherwise each sector's
// differing bytes came through, did not, or came through garbled.
func imageOf(rng *rand.Rand, mode int, synced, written []byte) []byte {
	image := bytes.Clone(synced)
	if mode == 0 {
		return image
	}
	if len(written) != len(synced) && rng.IntN(2) == 0 {
		image = append(image[:min(len(image), len(written))], make([]byte, max(0, len(written)-len(image)))...)
	}
	for from := 0; from < min(len(image), len(written)); from += sectorSize {
		fate := rng.IntN(3)
		for i := from; i < min(from+sectorSize, len(image), len(written)); i++ {
			switch {
			case image[i] == written[i] || fate == 0:
			case fate == 1:
				image[i] = written[i]
			default:
				image[i] = byte(rng.Uint32())
			}
		}
	}
	return image
}

func differing(a, b []byte) (n int) {
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			n++
		}
	}
	return n
}

// copyFile copies a file; one that is not there leaves none.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if os.IsNotExist(err) {
		if err := os.Remove(to); err != nil && !os.IsNotExist(err) {
			return err
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // only read
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if closed := out.Close(); err == nil {
		err = closed
	}
	return err
}

func TestPowerLossKeepsWhatWasSynced(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	synced, written := bytes.Repeat([]byte{1}, 3000), bytes.Repeat([]byte{1}, 5000)
	for i := 1000; i < 2000; i++ {
		written[i] = 2
	}
	fates := map[byte]int{}
	for mode := range 4 {
		image := imageOf(rng, mode, synced, written)
		if len(image) != 3000 && len(image) != 5000 {
			t.Errorf("mode %d: %d bytes", mode, len(image))
		}
		if !bytes.Equal(image[:1000], synced[:1000]) || !bytes.Equal(image[2000:3000], synced[2000:]) {
			t.Errorf("mode %d: bytes that were synced and not written since have changed", mode)
		}
		if mode == 0 && !bytes.Equal(image, synced) {
			t.Error("mode 0: something unsynced came through")
		}
		for _, b := range image[1000:2000] {
			fates[b]++
		}
	}
	if fates[1] == 0 || fates[2] == 0 || len(fates) < 3 {
		t.Errorf("not every fate was met: %v", fates)
	}
}
