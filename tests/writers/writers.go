// SPDX-License-Identifier: LGPL-3.0-or-later

// How programs in Go write a value: writers NAME FILE
package main

import (
	"fmt"
	"os"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func open(path string) *os.File {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	check(err)
	return file
}

func main() {
	path := os.Args[2]
	value := 2.75
	switch os.Args[1] {
	case "go-fprint":
		file := open(path)
		defer file.Close()
		_, err := fmt.Fprint(file, value)
		check(err)
	case "go-fprintln":
		file := open(path)
		defer file.Close()
		_, err := fmt.Fprintln(file, value)
		check(err)
	case "go-output":
		_, err := fmt.Print(value)
		check(err)
	case "go-writefile":
		check(os.WriteFile(path, []byte(fmt.Sprint(value)), 0644))
	case "go-writefile-line":
		check(os.WriteFile(path, []byte(fmt.Sprintln(value)), 0644))
	default:
		panic(os.Args[1])
	}
}
