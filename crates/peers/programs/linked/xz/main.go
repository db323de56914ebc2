package main

import (
	"fmt"
	"os"

	"github.com/ulikunitz/xz"
)

func main() {
	r, err := xz.NewReader(os.Stdin)
	fmt.Println(r, err)
}
