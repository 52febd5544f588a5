# The image of a node: the static binary and nothing else. scripts/build.sh image makes bin/image first; nothing is pulled.
FROM scratch
COPY bin/image/votenode /votenode
# The node's folder, empty. A new volume that is mounted over it takes over its owner.
COPY --chown=65532:65532 bin/image/node /node
USER 65532:65532
ENTRYPOINT ["/votenode"]
CMD ["node", "start", "--home", "/node"]
