package main

import (
	"fmt"
	"os"

	"golang.org/x/crypto/bcrypt"
)

func main() {
	fmt.Println(bcrypt.GenerateFromPassword([]byte(os.Args[0]), 4))
}
