"""What sets up a mail program without anybody typing a server's name: all of it from one `ClientSettings`."""
