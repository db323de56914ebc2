package main

import (
	"fmt"
	"os"

	"golang.org/x/image/tiff"
)

func main() {
	i, err := tiff.Decode(os.Stdin)
	fmt.Println(i, err)
}
