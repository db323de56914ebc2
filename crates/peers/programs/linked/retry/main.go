package main

import (
	"fmt"
	"os"

	"github.com/hashicorp/go-retryablehttp"
)

func main() {
	r, err := retryablehttp.Get(os.Args[0])
	fmt.Println(r, err)
}
