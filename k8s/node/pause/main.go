// pause is the first process of every pod: it holds the pod's namespaces and reaps orphans, and does nothing else.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if pid <= 0 && err != syscall.EINTR {
			return
		}
	}
}

func main() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	reap() // children that ended before the handler was there
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		reap()
	}
}
