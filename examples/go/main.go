// Numbers with go-redis: cd examples/go && go mod tidy && PORT=6380 go run .
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"regexp"
	"time"

	"github.com/redis/go-redis/v9"
)

var unavailable = regexp.MustCompile(`^ERR (storage|store) unavailable`)

// take takes a number, and waits for one while the server is away, or cannot write, until ctx ends.
func take(ctx context.Context, client *redis.Client, name string) (string, error) {
	for {
		number, err := client.Get(ctx, name).Result()
		if err == nil {
			return number, nil
		}
		// Any other refusal stays one: the name is not defined, its line has ended, a right is missing.
		var refusal redis.Error
		if errors.As(err, &refusal) && !unavailable.MatchString(err.Error()) {
			return "", err
		}
		// Where the connection broke, a number may have been on its way. Nobody else gets it: it is skipped.
		select {
		case <-ctx.Done():
			return "", err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "6380"
	}
	client := redis.NewClient(&redis.Options{
		Addr: "127.0.0.1:" + port,
		// It connects again by itself, and sends a command that failed up to three times more. That is safe
		// here: a GET that is sent again takes another number, and the one before is skipped.
		MaxRetries: 3,
		// Without this a command waits longer than its context allows.
		ContextTimeoutEnabled: true,
	})
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	// Define: once, or at every start, as what is defined already stays as it is. The strategy is chosen here:
	// pre_close is fast, and skips up to 5 % of the numbers in a crash; elegant_close (the default) skips none.
	check(client.HSet(ctx, "order_id", "type", 3, "starting", 1000, "auto_disk", "pre_close").Err())
	check(client.HSet(ctx, "invoice", "type", 2, "length", 6, "starting", 1, "auto_disk", "elegant_close").Err())

	// Take. Numbers are strings, to be kept so: as an int an invoice would lose its zeros.
	number, err := take(ctx, client, "order_id")
	check(err)
	fmt.Printf("one: %s\n", number)
	number, err = take(ctx, client, "invoice")
	check(err)
	fmt.Printf("without gaps: %s\n", number)

	// Take many at once: in one command of all or none, or in one write.
	many, err := client.MGet(ctx, "order_id", "order_id", "order_id").Result()
	check(err)
	fmt.Printf("many: %s, %s, %s\n", many...)
	var first, second *redis.StringCmd
	_, err = client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		first, second = pipe.Get(ctx, "order_id"), pipe.Get(ctx, "order_id")
		return nil
	})
	check(err)
	fmt.Printf("pipelined: %s, %s\n", first.Val(), second.Val())
	_, err = client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		first, second = pipe.Get(ctx, "order_id"), pipe.Get(ctx, "invoice")
		return nil
	})
	check(err)
	fmt.Printf("in a transaction: %s, %s\n", first.Val(), second.Val())

	// Reconnect: here it closes its own connection, as a server that is started anew would.
	id := client.ClientID(ctx).Val()
	check(client.ClientKillByFilter(ctx, "ID", fmt.Sprint(id), "SKIPME", "no").Err())
	number, err = take(ctx, client, "order_id")
	check(err)
	fmt.Printf("connected again: %s\n", number)

	info, err := client.Info(ctx, "order_id").Result()
	check(err)
	fmt.Printf("next: %s\n", regexp.MustCompile(`(?m)^current:(\d+)`).FindStringSubmatch(info)[1])

	// Errors.
	check(client.HSet(ctx, "one_digit", "type", 2, "length", 1, "starting", 9).Err())
	take(ctx, client, "one_digit")
	_, nobody := take(ctx, client, "nobody")
	_, exhausted := take(ctx, client, "one_digit")
	changed := client.HSet(ctx, "order_id", "step", 7).Err()
	tooLong := client.HSet(ctx, "voucher", "type", 1, "length", 19).Err()
	for _, err := range []error{nobody, exhausted, changed, tooLong} {
		fmt.Printf("refused: %v\n", err)
	}
}
