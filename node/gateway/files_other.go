//go:build !unix

package gateway

import "math"

// openFiles returns how many files and connections this process may have open: nothing that is known here bounds them.
func openFiles() int { return math.MaxInt }
