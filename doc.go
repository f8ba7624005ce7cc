// Package godwit does the work that an application must not wait for: durable jobs that survive crashes, kept in a database
// of yours.
package godwit
