package main

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"

	"votenode/app"
)

// version is what the binary says of itself. CometBFT's own version constant is behind its release, so the module's counts.
type version struct {
	Votenode string `json:"votenode"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	CometBFT string `json:"cometbft"`
	Badger   string `json:"badger"`
	// Protocol is the greatest protocol version that the binary knows.
	Protocol uint64 `json:"protocol"`
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the versions of this binary, of Go, CometBFT, Badger and the protocol",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			v := readVersion()
			return show(c, v, func(w io.Writer) {
				fmt.Fprintf(w, "votenode %s\n", v.Votenode)
				if v.Revision != "" {
					fmt.Fprintf(w, "revision %s\n", v.Revision)
				}
				fmt.Fprintf(w, "go       %s\ncometbft %s\nbadger   %s\nprotocol %d\n", v.Go, v.CometBFT, v.Badger, v.Protocol)
			})
		},
	}
}

func readVersion() version {
	v := version{Votenode: "unknown", CometBFT: "unknown", Badger: "unknown", Protocol: app.Protocol}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Votenode, v.Go = info.Main.Version, info.GoVersion
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			v.Revision = setting.Value
		}
	}
	for _, module := range info.Deps {
		switch module.Path {
		case "github.com/cometbft/cometbft":
			v.CometBFT = module.Version
		case "github.com/dgraph-io/badger/v4":
			v.Badger = module.Version
		}
	}
	return v
}
