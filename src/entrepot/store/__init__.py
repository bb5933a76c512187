"""The cellar: where rows and bytes live, behind two ports."""
