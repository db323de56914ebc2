// Runs the Kubernetes API server and its etcd in this one process, and asks it what it makes of manifests.
//
// Standard input: a JSON line {"path": ..., "body": ...} for each object to create, the body as YAML.
// Standard output: first a line "ready", then for each input line, in the same order, {"code": ..., "body": ...}.
// It ends, and its folder goes away, with the input: also when whoever started it was killed.
//
//	go run . FOLDER
package main

import (
	"bufio"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

const (
	// Nobody else can reach the server: it listens on loopback alone and lives for seconds.
	token = "palisade"
	// Requests at a time: enough to keep two cores busy.
	workers = 8
	// Starting takes some seconds on an idle machine.
	patience = 3 * time.Minute
)

type question struct {
	Path string `json:"path"`
	Body string `json:"body"`
}

type answer struct {
	Code     int             `json:"code"`
	Body     json.RawMessage `json:"body"`
	Warnings []string        `json:"warnings"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run . FOLDER")
		os.Exit(2)
	}
	folder := os.Args[1]
	// Whoever asks may be gone: writing then fails as anything else does, and the folder is still taken away.
	signal.Ignore(syscall.SIGPIPE)
	// Standard output is for answers; whatever the server prints goes to standard error.
	out := os.Stdout
	os.Stdout = os.Stderr
	err := run(folder, out)
	if removed := os.RemoveAll(folder); err == nil {
		err = removed
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(folder string, out io.Writer) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	store, err := startStore(filepath.Join(folder, "etcd"))
	if err != nil {
		return err
	}
	defer store.Server.HardStop()
	lines := make(chan string)
	go readLines(lines)
	server := "https://127.0.0.1:" + freePort()
	ended := startServer(folder, server, store.Clients[0].Addr().String())
	client := &http.Client{Transport: &http.Transport{
		// The certificate was made by the server a moment ago, in a folder that only we read.
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true},
		MaxIdleConnsPerHost: workers,
	}}
	if err := waitUntilReady(client, server, ended); err != nil {
		return err
	}
	fmt.Fprintln(out, "ready")
	return answerAll(client, server, lines, out)
}

func readLines(lines chan<- string) {
	defer close(lines)
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		lines <- line
	}
}

func startStore(folder string) (*embed.Etcd, error) {
	config := embed.NewConfig()
	config.Dir = folder
	config.LogLevel = "error"
	config.UnsafeNoFsync = true
	any := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	config.ListenClientUrls, config.ListenPeerUrls = []url.URL{any}, []url.URL{any}
	config.AdvertiseClientUrls, config.AdvertisePeerUrls = []url.URL{any}, []url.URL{any}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	store, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	select {
	case <-store.Server.ReadyNotify():
		return store, nil
	case err := <-store.Err():
		return nil, err
	case <-time.After(patience):
		store.Close()
		return nil, fmt.Errorf("etcd does not get ready")
	}
}

// startServer runs the command kube-apiserver as it is; what it ends with comes by the channel.
func startServer(folder, address, store string) <-chan error {
	ended := make(chan error, 1)
	keys := filepath.Join(folder, "accounts.key")
	tokens := filepath.Join(folder, "tokens")
	if err := os.WriteFile(tokens, []byte(token+",admin,admin,system:masters\n"), 0o600); err != nil {
		ended <- err
		return ended
	}
	if err := writeKey(keys); err != nil {
		ended <- err
		return ended
	}
	command := app.NewAPIServerCommand()
	command.SetArgs([]string{
		"--etcd-servers=http://" + store,
		"--bind-address=127.0.0.1",
		"--secure-port=" + address[strings.LastIndex(address, ":")+1:],
		"--advertise-address=192.0.2.1",
		"--endpoint-reconciler-type=none",
		"--cert-dir=" + filepath.Join(folder, "certificates"),
		"--token-auth-file=" + tokens,
		"--authorization-mode=AlwaysAllow",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + keys,
		"--service-account-signing-key-file=" + keys,
		// Two families, so that no Service is refused for the one that the cluster lacks; the ranges of the lab.
		"--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/108",
		"--allow-privileged=true",
		// The ServiceAccount of a pod may be in another file.
		"--disable-admission-plugins=ServiceAccount",
		"--max-requests-inflight=0",
		"--max-mutating-requests-inflight=0",
		"--enable-priority-and-fairness=false",
		"--profiling=false",
		"--v=0",
	})
	go func() { ended <- command.Execute() }()
	return ended
}

func writeKey(path string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	return os.WriteFile(path, pem.EncodeToMemory(block), 0o600)
}

// freePort is free at this moment; the server itself cannot choose one.
func freePort() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "0"
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

func waitUntilReady(client *http.Client, server string, ended <-chan error) error {
	deadline := time.After(patience)
	for {
		if ask(client, http.MethodGet, server+"/readyz", "").Code == http.StatusOK {
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("the API server ended: %v", err)
		case <-deadline:
			return fmt.Errorf("the API server does not get ready")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func answerAll(client *http.Client, server string, lines <-chan string, out io.Writer) error {
	// In the order of the questions: each line waits for its own channel.
	waiting := make(chan chan answer, workers)
	go func() {
		defer close(waiting)
		for line := range lines {
			reply := make(chan answer, 1)
			waiting <- reply
			go func() { reply <- askFor(client, server, line) }()
		}
	}()
	buffered := bufio.NewWriter(out)
	encoder := json.NewEncoder(buffered)
	for reply := range waiting {
		if err := encoder.Encode(<-reply); err != nil {
			return err
		}
		if len(waiting) == 0 {
			if err := buffered.Flush(); err != nil {
				return err
			}
		}
	}
	return buffered.Flush()
}

func askFor(client *http.Client, server, line string) answer {
	var asked question
	if err := json.Unmarshal([]byte(line), &asked); err != nil {
		return failure(err)
	}
	return ask(client, http.MethodPost, server+asked.Path, asked.Body)
}

func ask(client *http.Client, method, address, body string) answer {
	request, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		return failure(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/yaml")
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return failure(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return failure(err)
	}
	if !json.Valid(text) {
		text, _ = json.Marshal(string(text))
	}
	return answer{Code: response.StatusCode, Body: text, Warnings: response.Header.Values("Warning")}
}

// failure is what never came from the server: no status of HTTP has the number 0.
func failure(err error) answer {
	text, _ := json.Marshal(err.Error())
	return answer{Code: 0, Body: text}
}
