package main

import (
	"fmt"
	"os"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"net/http"
)

func main() {
	http.Handle("/", promhttp.Handler())
	fmt.Println(http.ListenAndServe(os.Args[0], nil))
}
