// A registry of OCI artifacts in memory, on a free port of the loopback interface, which it prints.
//
//	registry
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	quiet := registry.Logger(log.New(os.Stderr, "", 0))
	server := http.Server{Handler: registry.New(quiet), ReadHeaderTimeout: 10 * time.Second}
	fail(server.Serve(listener))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "registry:", err)
	os.Exit(1)
}
