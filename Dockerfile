# docker build -t godwit . && docker run --stop-timeout 45 -p 127.0.0.1:8080:8080 -v godwit:/data godwit
# Running jobs have 30 s to end at a stop (--grace), and Docker kills after 10 s unless it is told otherwise: --stop-timeout 45 at the
# start, or docker stop -t 45.
FROM golang:1.26-alpine AS build
RUN apk add --no-cache ca-certificates tzdata && mkdir /data && chown 65532:65532 /data
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /godwit ./cmd/godwit

# Nothing but the program, the certificates and the zones: no shell to break into.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /usr/share/zoneinfo /usr/share/zoneinfo
COPY --from=build /godwit /godwit
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
VOLUME /data
ENV GODWIT_DB=sqlite:/data/godwit.db
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/godwit"]
# Inside the container every address is meant: publish the port on loopback, or behind what asks callers who they are.
CMD ["serve", "--listen", "0.0.0.0:8080", "--insecure-listen"]
