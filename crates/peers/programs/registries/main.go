// Registries that others wrote, on loopback, until standard input ends.
//
//	registries FOLDER KIND [OPTION...]
//
// KIND is `simple` (go-containerregistry's, in memory, which keeps no lists of referrers), `referrers` (the same with
// lists), or `distribution` (the one that Docker's is); and two that are none: `files` serves FOLDER/files, `downgrade` leads
// to plain HTTP. OPTION is `tls` (certificates of an authority of its own, whose
// certificate is FOLDER/ca.pem), `basic` or `token` (user `me`, password `secret`; `distribution` alone).
// The first line that it prints is where it listens.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/auth/token"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/sirupsen/logrus"
	"golang.org/x/crypto/bcrypt"
)

const user, password, service = "me", "secret", "palisade-test"

func main() {
	folder, kind, options := os.Args[1], os.Args[2], os.Args[3:]
	logrus.SetOutput(io.Discard)
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	scheme := "http"
	authority := newAuthority(folder)
	if slices.Contains(options, "tls") {
		scheme = "https"
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{authority.server}})
	}
	root := scheme + "://" + listener.Addr().String()
	handler := http.NewServeMux()
	quiet := log.New(io.Discard, "", 0)
	switch kind {
	case "simple":
		handler.Handle("/", registry.New(registry.Logger(quiet)))
	case "referrers":
		handler.Handle("/", registry.New(registry.Logger(quiet), registry.WithReferrersSupport(true)))
	case "distribution":
		handler.Handle("/", distribution(folder, root, options))
		handler.HandleFunc("/token", authority.giveToken)
	case "files":
		handler.Handle("/", http.FileServer(http.Dir(filepath.Join(folder, "files"))))
	case "downgrade":
		handler.Handle("/", http.RedirectHandler("http://elsewhere.example/", http.StatusTemporaryRedirect))
	default:
		log.Fatalf("no kind %q", kind)
	}
	go func() { log.Fatal((&http.Server{Handler: handler, ErrorLog: quiet}).Serve(listener)) }()
	fmt.Println(listener.Addr())
	io.Copy(io.Discard, os.Stdin)
}

func distribution(folder, root string, options []string) http.Handler {
	config := &configuration.Configuration{
		Version: "0.1",
		Storage: configuration.Storage{
			"inmemory": configuration.Parameters{},
			"delete":   configuration.Parameters{"enabled": true},
		},
	}
	config.HTTP.Secret = "for one process"
	config.Log.Level = "error"
	switch {
	case slices.Contains(options, "basic"):
		path := filepath.Join(folder, "htpasswd")
		hash := must(bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost))
		check(os.WriteFile(path, []byte(user+":"+string(hash)+"\n"), 0o600))
		config.Auth = configuration.Auth{"htpasswd": configuration.Parameters{"realm": "test", "path": path}}
	case slices.Contains(options, "token"):
		config.Auth = configuration.Auth{"token": configuration.Parameters{
			"realm":          root + "/token",
			"service":        service,
			"issuer":         service,
			"rootcertbundle": filepath.Join(folder, "ca.pem"),
		}}
	}
	return handlers.NewApp(context.Background(), config)
}

// An authority that signs the server's certificate and, with it, tokens.
type authority struct {
	server tls.Certificate
}

func newAuthority(folder string) *authority {
	caKey := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ca := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "test authority"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	caDER := must(x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey))
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "localhost"},
		NotBefore:    ca.NotBefore,
		NotAfter:     ca.NotAfter,
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	leafDER := must(x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey))
	bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	check(os.WriteFile(filepath.Join(folder, "ca.pem"), bundle, 0o600))
	return &authority{server: tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: key}}
}

// giveToken gives what is asked for to whoever shows the password, or the refresh token `refresh`; anybody else may
// pull what is public, `open/...`.
func (a *authority) giveToken(writer http.ResponseWriter, request *http.Request) {
	if request.FormValue("service") != service {
		http.Error(writer, "another service", http.StatusBadRequest)
		return
	}
	name, word, shown := request.BasicAuth()
	isKnown := shown && name == user && word == password
	if request.Method == http.MethodPost {
		isKnown = request.PostFormValue("grant_type") == "refresh_token" && request.PostFormValue("refresh_token") == "refresh"
		shown = true
	}
	if shown && !isKnown {
		writer.Header().Set("Content-Type", "application/json")
		writer.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(writer, `{"errors": [{"code": "UNAUTHORIZED", "message": "wrong password"}]}`)
		return
	}
	type access struct {
		Type    string   `json:"type"`
		Name    string   `json:"name"`
		Actions []string `json:"actions"`
	}
	granted := []access{}
	for _, scope := range request.Form["scope"] {
		parts := strings.Split(scope, ":")
		if len(parts) != 3 {
			continue
		}
		if isKnown || strings.HasPrefix(parts[1], "open/") && parts[2] == "pull" {
			granted = append(granted, access{parts[0], parts[1], strings.Split(parts[2], ",")})
		}
	}
	chain := []string{base64.StdEncoding.EncodeToString(a.server.Certificate[0])}
	options := (&jose.SignerOptions{}).WithHeader("x5c", chain)
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: a.server.PrivateKey}, options))
	now := time.Now()
	claims := map[string]any{
		"iss": service, "aud": service, "sub": name, "access": granted,
		"nbf": now.Add(-time.Minute).Unix(), "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}
	token := must(jwt.Signed(signer).Claims(claims).Serialize())
	writer.Header().Set("Content-Type", "application/json")
	check(json.NewEncoder(writer).Encode(map[string]any{"token": token, "expires_in": 300}))
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
