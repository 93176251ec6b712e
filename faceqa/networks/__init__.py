"""The networks, one file each: `nn.Module` only, no file access."""
