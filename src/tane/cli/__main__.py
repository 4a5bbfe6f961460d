from tane.cli import main

main()
