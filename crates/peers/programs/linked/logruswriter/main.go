package main

import (
	"fmt"
	"os"

	"github.com/sirupsen/logrus"
)

func main() {
	fmt.Fprintln(logrus.New().Writer(), os.Args)
}
