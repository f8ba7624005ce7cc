package open

import (
	"context"

	"github.com/godwit-go/godwit"
)

// Store opens the store that a URL names. A URL that is not understood is answered with [godwit.CodeInvalid]; otherwise the
// errors are those of the driver. The caller closes the store.
func Store(ctx context.Context, rawURL string) (godwit.Store, error) {
	return StoreWith(ctx, rawURL, Config{})
}
