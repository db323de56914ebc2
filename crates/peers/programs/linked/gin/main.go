package main

import (
	"fmt"
	"os"

	"github.com/gin-gonic/gin"
)

func main() {
	r := gin.New()
	r.GET("/", func(c *gin.Context) { c.String(200, c.ClientIP()) })
	fmt.Println(r.Run(os.Args[0]))
}
