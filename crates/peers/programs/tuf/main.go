// A TUF repository by go-tuf, for tests: tuf OUT TARGET VERSION DAYS SEED
//
// The folder OUT gets metadata and, below `targets`, the file TARGET. VERSION is that of the timestamp, the snapshot and the
// targets; they expire in DAYS days. The one key is made of SEED.
package main

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	out, target, seed := os.Args[1], os.Args[2], os.Args[5]
	version := must(strconv.ParseInt(os.Args[3], 10, 64))
	expires := time.Now().AddDate(0, 0, must(strconv.Atoi(os.Args[4]))).UTC()
	hash := sha256.Sum256([]byte(seed))
	private := ed25519.NewKeyFromSeed(hash[:])
	key := must(metadata.KeyFromPublicKey(private.Public()))
	signer := must(signature.LoadSigner(private, crypto.Hash(0)))
	check(os.MkdirAll(filepath.Join(out, "targets"), 0o755))

	root := metadata.Root(time.Now().AddDate(10, 0, 0).UTC())
	for _, role := range []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP} {
		check(root.Signed.AddKey(key, role))
	}
	must(root.Sign(signer))
	check(root.ToFile(filepath.Join(out, "1.root.json"), true))

	targets := metadata.Targets(expires)
	targets.Signed.Version = version
	file := must(metadata.TargetFile().FromFile(target, "sha256"))
	targets.Signed.Targets[filepath.Base(target)] = file
	must(targets.Sign(signer))
	check(targets.ToFile(filepath.Join(out, fmt.Sprintf("%d.targets.json", version)), true))
	name := fmt.Sprintf("%x.%s", []byte(file.Hashes["sha256"]), filepath.Base(target))
	check(os.WriteFile(filepath.Join(out, "targets", name), must(os.ReadFile(target)), 0o644))

	snapshot := metadata.Snapshot(expires)
	snapshot.Signed.Version = version
	snapshot.Signed.Meta["targets.json"] = metadata.MetaFile(version)
	must(snapshot.Sign(signer))
	check(snapshot.ToFile(filepath.Join(out, fmt.Sprintf("%d.snapshot.json", version)), true))

	timestamp := metadata.Timestamp(expires)
	timestamp.Signed.Version = version
	timestamp.Signed.Meta["snapshot.json"] = metadata.MetaFile(version)
	must(timestamp.Sign(signer))
	check(timestamp.ToFile(filepath.Join(out, "timestamp.json"), true))
}
