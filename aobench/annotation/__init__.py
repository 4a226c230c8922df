"""Human validation of images: does the claimed attribute fit, and is the claimed object there?"""
