package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"votenode/app"
)

// version is what the binary says of itself. CometBFT's own version constant is behind its release, so the module's counts.
type version struct {
	Votenode string `json:"votenode"`
	// Revision is the commit that it was built from, and Modified says that files differed from it.
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	CometBFT string `json:"cometbft"`
	Badger   string `json:"badger"`
	// Protocol is the greatest protocol version that the binary knows.
	Protocol uint64 `json:"protocol"`
	// SHA256 is that of the file of the running program, 64 hexadecimal digits.
	SHA256 string `json:"sha256"`
	// Modules are all that is linked into it: version and, where go.sum has one, hash by path.
	Modules []module `json:"modules"`
}

type module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Sum     string `json:"sum,omitempty"`
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version and the SHA-256 of this binary, the protocol that it speaks, and the versions of what is in it",
		Long: `Show the version of this binary, the commit that it was built from, its SHA-256, the greatest protocol version that it knows, and the
versions of Go, CometBFT and Badger; with --json those of all modules. docs/reproducible.md tells how to build the same binary; a binary that
lies can also lie here.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			v := readVersion()
			var err error
			if v.SHA256, err = ownHash(); err != nil {
				return fmt.Errorf("the file of this program cannot be read: %w", err)
			}
			return show(c, v, func(w io.Writer) {
				fmt.Fprintf(w, "votenode %s\n", v.Votenode)
				if v.Revision != "" {
					changed := ""
					if v.Modified {
						changed = ", with changes"
					}
					fmt.Fprintf(w, "revision %s%s\n", v.Revision, changed)
				}
				fmt.Fprintf(w, "sha256   %s\ngo       %s\ncometbft %s\nbadger   %s\nprotocol %d\n", v.SHA256, v.Go, v.CometBFT, v.Badger, v.Protocol)
			})
		},
	}
}

func readVersion() version {
	v := version{Votenode: "unknown", CometBFT: "unknown", Badger: "unknown", Protocol: app.Protocol, Modules: []module{}}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Votenode, v.Go = info.Main.Version, info.GoVersion
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			v.Revision = setting.Value
		case "vcs.modified":
			v.Modified = setting.Value == "true"
		}
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		v.Modules = append(v.Modules, module{m.Path, m.Version, m.Sum})
		switch m.Path {
		case "github.com/cometbft/cometbft":
			v.CometBFT = m.Version
		case "github.com/dgraph-io/badger/v4":
			v.Badger = m.Version
		}
	}
	return v
}

// ownHash returns the SHA-256 of the program's file.
func ownHash() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
