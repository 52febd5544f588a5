//go:build !linux

package network

import "os/exec"

// offline says that a command cannot be kept from the network here.
func offline(*exec.Cmd) bool { return false }
