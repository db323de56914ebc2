package main

import (
	"fmt"
	"os"

	"github.com/sirupsen/logrus"
)

func main() {
	logrus.Info(fmt.Sprint(os.Args))
}
